//! Handlebars as used here: strict, without helpers that reach outside, with limited output.

use std::collections::BTreeMap;

use handlebars::{Context, Handlebars, RenderError, RenderErrorReason};

use super::template_files::TemplateError;

/// Maximum bytes that a template may write.
pub(crate) const OUTPUT_LIMIT: usize = 1_000_000;

/// Creates a strict registry with this escape function for values.
pub(super) fn new_registry(escape: impl Fn(&str) -> String + Send + Sync + 'static) -> Handlebars<'static> {
    let mut registry = Handlebars::new();
    registry.register_escape_fn(escape);
    registry.set_strict_mode(true);
    registry.set_prevent_indent(true);
    // It would write to the log whatever a template contains.
    registry.unregister_helper("log");
    registry
}

/// Renders one template of `registry` with `data`.
pub(super) fn render_to_string(
    registry: &Handlebars<'_>,
    name: &str,
    data: &serde_json::Map<String, serde_json::Value>,
    origins: &BTreeMap<String, String>,
) -> Result<String, TemplateError> {
    let context = Context::wraps(data).map_err(|e| TemplateError::of(name, e.to_string()))?;
    render_context(registry, name, &context, origins)
}

pub(super) fn render_context(
    registry: &Handlebars<'_>,
    name: &str,
    context: &Context,
    origins: &BTreeMap<String, String>,
) -> Result<String, TemplateError> {
    let mut out = Limited::default();
    registry.render_with_context_to_write(name, context, &mut out).map_err(|e| render_error(origins, name, &e))?;
    String::from_utf8(out.bytes).map_err(|e| TemplateError::of(name, e.to_string()))
}

fn render_error(origins: &BTreeMap<String, String>, name: &str, error: &RenderError) -> TemplateError {
    let name = error.template_name.as_deref().unwrap_or(name);
    let file = origins.get(name).cloned().unwrap_or_else(|| name.to_owned());
    TemplateError { file, line: error.line_no, what: what_is_wrong(error.reason()) }
}

fn what_is_wrong(reason: &RenderErrorReason) -> String {
    match reason {
        RenderErrorReason::MissingVariable(Some(path)) => missing(path),
        RenderErrorReason::MissingVariable(None) | RenderErrorReason::ParamNotFoundForIndex(..) => {
            "a value that a helper needs is missing; test it with {{#if …}} first".to_owned()
        }
        RenderErrorReason::IOError(e) => e.to_string(),
        other => other.to_string(),
    }
}

fn missing(path: &str) -> String {
    let path = path.trim_start_matches("@root.").replace('/', ".");
    let fix = match path.split('.').next() {
        Some("labels" | "own") => "add the word to the labels files".to_owned(),
        Some("recipient") => {
            format!("give it to every subscriber, or write {{{{#if {path}}}}} … {{{{/if}}}} around it")
        }
        _ => format!("fill it in, or write {{{{#if {path}}}}} … {{{{/if}}}} around it"),
    };
    format!("{path} is missing; {fix}")
}

pub(super) fn syntax_error(file: &str, error: &handlebars::TemplateError) -> TemplateError {
    let line = error.pos().map(|(line, _)| line);
    TemplateError { file: file.to_owned(), line, what: error.reason().to_string() }
}

/// Collects a template's output, up to [`OUTPUT_LIMIT`].
#[derive(Default)]
struct Limited {
    bytes: Vec<u8>,
}

impl std::io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + bytes.len() > OUTPUT_LIMIT {
            return Err(std::io::Error::other(format!("it writes more than {OUTPUT_LIMIT} bytes; is there a loop?")));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
