//! The dashboard and the alert rules in `docs/monitoring/` use only metrics that the daemon exports, and each alert
//! links to a section of OPERATING.md.

use std::collections::{BTreeMap, BTreeSet};

use depesch::metrics::parts::InboundMetrics;
use depesch::metrics::{Instruments, Metrics};
use serde::Deserialize;

use crate::support::promql::{Asked, asked, legend_labels};

/// Stands for a label value that is only known at run time.
const ANY: &str = "any";
/// Labels that Prometheus itself adds.
const ADDED: [&str; 2] = ["instance", "job"];
const MADE: [&str; 1] = ["up"];

const DASHBOARD: &str = include_str!("../../../docs/monitoring/dashboard.json");
const ALERTS: &str = include_str!("../../../docs/monitoring/alerts.yml");
const OPERATING: &str = include_str!("../../../docs/OPERATING.md");

/// The metric names that may be queried, each with its labels and their values.
type Shown = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// The metrics that the daemon exports, with at least one series of each family.
fn shown() -> Shown {
    let inbound = InboundMetrics::with_series(&[ANY], &[ANY]);
    let metrics = Metrics::new("0.0.0", Instruments { inbound, ..Instruments::default() });
    let gauges = &metrics.gauges;
    for labelled in [
        &gauges.queue,
        &gauges.mailings,
        &gauges.relay_trouble,
        &gauges.relay_trouble_since,
        &gauges.breakers,
        &gauges.jobs,
    ] {
        labelled.set(ANY, 1.0);
    }
    for counts in [&gauges.notices, &gauges.commits, &gauges.store_work, &gauges.mail_connections] {
        counts.show(ANY, 1);
    }
    let mut shown = Shown::new();
    for series in metrics.text().unwrap().lines().filter(|line| !line.starts_with('#')) {
        let asked = asked(series.rsplit_once(' ').unwrap().0);
        let (name, labels) = asked.metrics.first().unwrap();
        let known = shown.entry(name.clone()).or_default();
        for (label, value) in labels {
            known.entry(label.clone()).or_default().extend(value.clone());
        }
    }
    shown
}

/// The parts of an expression that the daemon does not export.
fn unknown(expression: &str, shown: &Shown) -> Vec<String> {
    let Asked { metrics, by } = asked(expression);
    let mut unknown = Vec::new();
    let mut about: BTreeSet<&str> = ADDED.into();
    for (name, labels) in &metrics {
        if MADE.contains(&name.as_str()) {
            continue;
        }
        let Some(known) = shown.get(name) else {
            unknown.push(name.clone());
            continue;
        };
        about.extend(known.keys().map(String::as_str));
        for (label, value) in labels {
            match (known.get(label), value) {
                (None, _) if !ADDED.contains(&label.as_str()) => unknown.push(format!("{name}{{{label}}}")),
                (Some(values), Some(value)) if !values.contains(ANY) && !values.contains(value) => {
                    unknown.push(format!("{name}{{{label}={value}}}"));
                }
                _ => {}
            }
        }
    }
    unknown.extend(by.into_iter().filter(|label| !about.contains(label.as_str())).map(|label| format!("by {label}")));
    if metrics.is_empty() {
        unknown.push(format!("nothing in {expression}"));
    }
    unknown
}

#[derive(Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    alert: String,
    expr: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

fn rules() -> Vec<Rule> {
    let rules: Rules = serde_saphyr::from_str(ALERTS).unwrap();
    rules.groups.into_iter().flat_map(|group| group.rules).collect()
}

#[test]
fn alerts_ask_only_for_what_is_shown() {
    let shown = shown();
    let rules = rules();
    assert!(rules.len() >= 16, "{}", rules.len());
    for rule in &rules {
        assert_eq!(unknown(&rule.expr, &shown), Vec::<String>::new(), "{}", rule.alert);
        assert!(["critical", "warning"].contains(&rule.labels["severity"].as_str()), "{}", rule.alert);
    }
}

#[test]
fn every_alert_says_what_to_do_and_is_explained_in_operating() {
    for rule in rules() {
        assert!(!rule.annotations["summary"].is_empty() && !rule.annotations["description"].is_empty());
        let section = &rule.annotations["section"];
        let (heading, case) = (format!("## {section}\n"), format!("**{section}"));
        let curly = case.replace(" \"", " \u{201c}").replace('"', "\u{201d}");
        assert!(
            OPERATING.contains(&heading) || OPERATING.contains(&case) || OPERATING.contains(&curly),
            "{}: there is no section \u{201c}{section}\u{201d}",
            rule.alert
        );
        assert!(OPERATING.contains(&format!("`{}`", rule.alert)), "{} is not in OPERATING.md", rule.alert);
    }
}

#[test]
fn the_dashboard_asks_only_for_what_is_shown() {
    let shown = shown();
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    let text = |value: &serde_json::Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let mut expressions: Vec<(String, String, String)> = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            expressions.push((text(panel, "title"), text(target, "expr"), text(target, "legendFormat")));
        }
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        if variable["type"] == "query" {
            expressions.push((text(variable, "name"), text(variable, "definition"), String::new()));
        }
    }
    assert!(expressions.len() >= 40, "{}", expressions.len());
    for (title, expression, legend) in expressions {
        assert_eq!(unknown(&expression, &shown), Vec::<String>::new(), "{title}: {expression}");
        let known = |label: &String| {
            ADDED.contains(&label.as_str())
                || asked(&expression).metrics.iter().any(|(name, _)| shown[name].contains_key(label))
        };
        assert!(legend_labels(&legend).iter().all(known), "{title}: {legend}");
    }
}

#[test]
fn a_misspelt_name_is_found() {
    let shown = shown();
    let found = |expression| unknown(expression, &shown);
    assert_eq!(
        found("sum by (state) (depesch_queue_delivery{state=\"x\"}) > 1"),
        ["depesch_queue_delivery", "by state"]
    );
    assert_eq!(found("depesch_notices{outcome=\"failed\"}"), ["depesch_notices"]);
    assert_eq!(found("rate(depesch_notices_total{result=\"failed\"}[5m])"), ["depesch_notices_total{result}"]);
    assert_eq!(found("sum(depesch_inbound_stuck) by (lists)"), ["by lists"]);
    assert_eq!(found("time() - 2e3 * 4h"), ["nothing in time() - 2e3 * 4h"]);
    assert_eq!(
        found("depesch_delivery_outcomes_total{outcome=\"lost\", class=~\"a|b\"}"),
        ["depesch_delivery_outcomes_total{outcome=lost}"]
    );
    assert_eq!(found("label_values(depesch_ready, instant)"), ["by instant"]);
    let good = "histogram_quantile(0.9, sum by (instance, le) (rate(depesch_commit_seconds_bucket{job=\"d\"}[5m])))";
    assert_eq!(found(good), Vec::<String>::new());
}
