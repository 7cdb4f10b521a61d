//! Request paths with escaped segments and parameters.

use std::fmt;

/// A path under construction: `ApiPath::new("/v1/lists").segment("media").query("limit", 10)`.
#[derive(Clone, Debug)]
pub struct ApiPath {
    path: String,
    query: String,
}

impl ApiPath {
    /// Starts with a fixed path.
    pub fn new(path: &str) -> Self {
        Self { path: path.to_owned(), query: String::new() }
    }

    /// Adds a segment, escaped.
    pub fn segment(mut self, segment: impl fmt::Display) -> Self {
        self.path.push('/');
        escape(&segment.to_string(), &mut self.path);
        self
    }

    /// Adds a parameter, escaped.
    pub fn query(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.query.push(if self.query.is_empty() { '?' } else { '&' });
        escape(name, &mut self.query);
        self.query.push('=');
        escape(&value.to_string(), &mut self.query);
        self
    }

    /// Adds a parameter, escaped, if there is a value.
    pub fn query_some(self, name: &str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }
}

impl fmt::Display for ApiPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.path, self.query)
    }
}

impl From<&str> for ApiPath {
    fn from(path: &str) -> Self {
        Self::new(path)
    }
}

// RFC 3986 §2.3: everything except unreserved characters is escaped.
fn escape(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ApiPath;

    #[test]
    fn parts_are_escaped() {
        let path = ApiPath::new("/v1/subscribers").segment("a/b@örn").query("q", "x&y=z").query_some("n", Some(3));
        assert_eq!(path.to_string(), "/v1/subscribers/a%2Fb%40%C3%B6rn?q=x%26y%3Dz&n=3");
    }
}
