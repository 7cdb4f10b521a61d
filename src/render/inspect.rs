//! What a parsed template uses, and what templates must not do; checked once, when templates are loaded.
//!
//! Refused: partials that call each other in a circle (they would overflow the stack), computed partial names, inline
//! and block partials, loops nested deeper than [`DEEPEST_LOOP`], and three braces around unsafe values.

use std::collections::{BTreeMap, BTreeSet};

use handlebars::template::{HelperTemplate, Parameter, Template, TemplateElement};
use handlebars::{Path, PathSeg};

/// Maximum depth of nested loops, including partials.
pub(crate) const DEEPEST_LOOP: usize = 4;

/// What a template uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Partials called, each with the number of loops around the call.
    pub partials: BTreeMap<String, usize>,
    /// Values that depend on the recipient, e.g. `recipient.name`.
    pub open: BTreeSet<String>,
    /// Whether it computes with such a value, so that each message must be rendered separately.
    pub computes: bool,
    /// Depth of nested loops.
    pub loops: usize,
}

/// A forbidden element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The line, from 1.
    pub line: Option<usize>,
    /// What is wrong with it.
    pub what: String,
}

/// Inspects one template.
///
/// # Errors
/// [`Refusal`]: it does what templates must not do.
pub(crate) fn inspect(template: &Template) -> Result<Usage, Refusal> {
    let mut usage = Usage::default();
    walk(template, 0, &mut usage)?;
    Ok(usage)
}

fn walk(template: &Template, loops: usize, usage: &mut Usage) -> Result<(), Refusal> {
    usage.loops = usage.loops.max(loops);
    for (place, element) in template.elements.iter().enumerate() {
        let line = template.mapping.get(place).map(|mapping| mapping.0);
        element_usage(element, loops, usage).map_err(|refusal| Refusal { line: refusal.line.or(line), ..refusal })?;
    }
    Ok(())
}

fn refuse(what: impl Into<String>) -> Refusal {
    Refusal { line: None, what: what.into() }
}

fn element_usage(element: &TemplateElement, loops: usize, usage: &mut Usage) -> Result<(), Refusal> {
    match element {
        TemplateElement::RawString(_) | TemplateElement::Comment(_) => Ok(()),
        TemplateElement::Expression(expression) => expression_usage(expression, loops, usage),
        TemplateElement::HtmlExpression(expression) => {
            let name = parameter_names(&expression.name).pop().unwrap_or_default();
            let safe = expression.params.is_empty() && (name.ends_with("_html") || name.ends_with("_text"));
            if !safe || is_open(&parameter_names(&expression.name)) {
                return Err(refuse(format!(
                    "three braces are only for values whose names end in _html or _text; write {{{{{name}}}}}"
                )));
            }
            expression_usage(expression, loops, usage)
        }
        TemplateElement::HelperBlock(block) => expression_usage(block, loops, usage),
        TemplateElement::PartialExpression(partial) => {
            let name = match &partial.name {
                Parameter::Name(name) => name.clone(),
                Parameter::Path(path) => names(path).join("/"),
                _ => return Err(refuse("a partial's name must be written out, not computed")),
            };
            for parameter in partial.params.iter().chain(partial.hash.values()) {
                passed(parameter, usage);
            }
            let around = usage.partials.entry(name).or_default();
            *around = (*around).max(loops);
            Ok(())
        }
        TemplateElement::PartialBlock(_) => Err(refuse("{{#> …}} is not supported; call a partial with {{> …}}")),
        _ => Err(refuse("decorators such as {{#*inline}} are not supported; create a file in partials/")),
    }
}

fn expression_usage(expression: &HelperTemplate, loops: usize, usage: &mut Usage) -> Result<(), Refusal> {
    let helper = match &expression.name {
        Parameter::Name(name) => name.as_str(),
        Parameter::Path(path) if expression.params.is_empty() && expression.hash.is_empty() => {
            printed(&names(path), usage);
            ""
        }
        Parameter::Path(Path::Relative((_, raw)) | Path::Local((_, _, raw))) => raw.as_str(),
        Parameter::Subexpression(_) => return Err(refuse("a helper's name must be written out, not computed")),
        _ => "",
    };
    let tests = matches!(helper, "if" | "unless") && expression.hash.is_empty();
    for parameter in expression.params.iter().chain(expression.hash.values()) {
        match parameter {
            Parameter::Path(path) if tests => printed(&names(path), usage),
            parameter => passed(parameter, usage),
        }
    }
    let inner = loops + usize::from(helper == "each");
    if inner > DEEPEST_LOOP {
        return Err(refuse(format!("loops are nested deeper than {DEEPEST_LOOP}")));
    }
    expression.template.iter().try_for_each(|template| walk(template, inner, usage))?;
    expression.inverse.iter().try_for_each(|template| walk(template, loops, usage))
}

/// Records a value that is printed, or tested for presence.
fn printed(names: &[String], usage: &mut Usage) {
    if is_open(names) {
        match names.len() {
            0 | 1 => usage.computes = true,
            _ => {
                usage.open.insert(names.join("."));
            }
        }
    }
}

/// Records a value that is passed to a helper or a partial.
fn passed(parameter: &Parameter, usage: &mut Usage) {
    match parameter {
        Parameter::Path(path) => {
            let names = names(path);
            // Everything, including the recipient: `{{#with this}}`, `{{> x @root}}`.
            usage.computes |= is_open(&names) || names.is_empty();
            if names.get(1).is_none_or(|second| second != "attributes") || names.len() > 2 {
                printed(&names, usage);
            }
        }
        Parameter::Subexpression(expression) => {
            if let TemplateElement::Expression(inner) = expression.as_element() {
                inner.params.iter().chain(inner.hash.values()).for_each(|parameter| passed(parameter, usage));
            }
        }
        _ => {}
    }
}

fn is_open(names: &[String]) -> bool {
    names.first().is_some_and(|first| first == "recipient" || first == "links")
}

fn parameter_names(parameter: &Parameter) -> Vec<String> {
    match parameter {
        Parameter::Path(path) => names(path),
        Parameter::Name(name) => vec![name.clone()],
        _ => Vec::new(),
    }
}

/// The names on a path, without `../`, `@root` and `this`.
fn names(path: &Path) -> Vec<String> {
    match path {
        Path::Relative((segments, _)) => segments
            .iter()
            .filter_map(|segment| match segment {
                PathSeg::Named(name) => Some(name.trim_matches(['[', ']']).to_owned()),
                _ => None,
            })
            .collect(),
        // `@index` and similar names belong to a loop.
        Path::Local((_, name, _)) => vec![format!("@{name}")],
    }
}

/// What a template uses including all partials that it calls, directly or indirectly.
///
/// # Errors
/// A text: a missing partial, or a circle.
pub(crate) fn with_partials(name: &str, all: &BTreeMap<String, Usage>) -> Result<Usage, String> {
    gather(name, all, &mut Vec::new())
}

fn gather(name: &str, all: &BTreeMap<String, Usage>, way: &mut Vec<String>) -> Result<Usage, String> {
    if way.iter().any(|passed| passed == name) {
        return Err(format!("partials call each other in a circle: {} → {name}", way.join(" → ")));
    }
    let mut usage = all.get(name).cloned().ok_or_else(|| {
        let known: Vec<&str> = all.keys().map(String::as_str).filter(|known| !known.contains('/')).collect();
        format!("there is no partial \u{201c}{name}\u{201d}; there are: {}", known.join(", "))
    })?;
    way.push(name.to_owned());
    for (partial, around) in usage.partials.clone() {
        let inner = gather(&partial, all, way)?;
        usage.open.extend(inner.open);
        usage.computes |= inner.computes;
        usage.loops = usage.loops.max(around + inner.loops);
    }
    way.pop();
    if usage.loops > DEEPEST_LOOP {
        return Err(format!("loops are nested deeper than {DEEPEST_LOOP}, through partials"));
    }
    Ok(usage)
}

/// Recipient values that templates may use, in addition to `recipient.attributes.…`.
pub(crate) const RECIPIENT_FIELDS: [&str; 6] = [
    "recipient.name",
    "recipient.organisation",
    "recipient.address",
    "recipient.language",
    "links.unsubscribe",
    "links.unsubscribe_address",
];

/// Whether recipients can have this field.
pub(crate) fn is_recipient_field(field: &str) -> bool {
    RECIPIENT_FIELDS.contains(&field)
        || field.strip_prefix("recipient.attributes.").is_some_and(|name| !name.is_empty())
}
