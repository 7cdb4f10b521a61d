//! The metrics and labels in a PromQL expression: names and labels are distinguished from functions and keywords, and
//! nothing more is parsed (prometheus.io, "Querying basics" and "Operators").

/// Words that are not metrics.
const KEYWORDS: [&str; 10] = ["and", "or", "unless", "bool", "offset", "inf", "nan", "start", "end", "atan2"];
/// Words followed by labels in parentheses.
const BEFORE_LABELS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// The metrics and labels of an expression.
#[derive(Debug, Default)]
pub struct Asked {
    /// The name of each selector, with its labels and, if one value is required, that value.
    pub metrics: Vec<(String, Vec<(String, Option<String>)>)>,
    /// Labels used for grouping or matching series.
    pub by: Vec<String>,
}

/// Parses an expression, or one line of an exposition without its value.
pub fn asked(expression: &str) -> Asked {
    let mut asked = Asked::default();
    let mut rest = expression.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '[' {
            rest = after(rest, ']');
        } else if first == '"' {
            rest = quoted(rest).1;
        } else if first.is_ascii_digit() {
            // A number, or a duration with its unit.
            rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '.');
        } else if is_name(first) {
            let (word, then) = word(rest);
            rest = then.trim_start();
            if BEFORE_LABELS.contains(&word) {
                if let Some(labels) = rest.strip_prefix('(') {
                    let (inside, then) = labels.split_once(')').unwrap();
                    asked.by.extend(inside.split(',').map(|label| label.trim().to_owned()));
                    rest = then;
                }
            } else if word == "label_values" {
                // Specific to Grafana: a selector, then the label.
                let (selector, then) = rest.strip_prefix('(').unwrap().rsplit_once(',').unwrap();
                asked.metrics.extend(self::asked(selector).metrics);
                asked.by.push(then.split(')').next().unwrap().trim().to_owned());
                return asked;
            } else if let Some(inside) = rest.strip_prefix('{') {
                let (labels, then) = matchers(inside);
                asked.metrics.push((word.to_owned(), labels));
                rest = then;
            } else if !rest.starts_with('(') && !KEYWORDS.contains(&word) && !is_aggregation(word, rest) {
                asked.metrics.push((word.to_owned(), Vec::new()));
            }
        } else {
            rest = &rest[first.len_utf8()..];
        }
        rest = rest.trim_start();
    }
    asked
}

/// The labels in a legend: `{{label}}`.
pub fn legend_labels(legend: &str) -> Vec<String> {
    legend.split("{{").skip(1).map(|part| part.split("}}").next().unwrap().trim().to_owned()).collect()
}

/// `sum by (…) (…)`: a word before labels is not a metric.
fn is_aggregation(word: &str, rest: &str) -> bool {
    ["sum", "min", "max", "avg", "count", "topk", "bottomk"].contains(&word)
        && (rest.starts_with("by") || rest.starts_with("without"))
}

/// Parses matchers up to the closing brace.
fn matchers(mut rest: &str) -> (Vec<(String, Option<String>)>, &str) {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', ',', '\n']);
        if let Some(then) = rest.strip_prefix('}') {
            return (labels, then);
        }
        let (label, then) = word(rest);
        let value_at = then.find('"').unwrap();
        let (value, after_value) = quoted(&then[value_at..]);
        labels.push((label.to_owned(), (then[..value_at].trim() == "=").then(|| value.to_owned())));
        rest = after_value;
    }
}

fn is_name(character: char) -> bool {
    character.is_ascii_alphabetic() || character == '_'
}

fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).unwrap_or(text.len()))
}

/// The quoted text at the beginning, and the rest. Escapes are not supported.
fn quoted(text: &str) -> (&str, &str) {
    text[1..].split_once('"').unwrap()
}

fn after(text: &str, end: char) -> &str {
    text.split_once(end).unwrap().1
}
