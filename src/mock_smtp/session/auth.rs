//! AUTH on a mock server.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Session;

impl Session<'_> {
    /// RFC 4954 with PLAIN (RFC 4616), with or without initial response, and LOGIN.
    pub(super) async fn auth(&mut self, rest: &str) -> io::Result<String> {
        let Some((user, password)) = self.shared.settings.login.clone() else {
            return Ok("502 5.5.1 no AUTH here".to_owned());
        };
        if !self.stream.is_encrypted() && !self.shared.settings.login_without_tls {
            return Ok("538 5.7.11 encryption required".to_owned());
        }
        let (mechanism, initial) = rest.split_once(' ').unwrap_or((rest, ""));
        let (name, given) = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" => {
                let answer = if initial.is_empty() { self.ask("").await? } else { initial.to_owned() };
                let mut parts = decoded(&answer).split('\0').map(str::to_owned).collect::<Vec<_>>().into_iter();
                parts.next();
                (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
            }
            "LOGIN" => (decoded(&self.ask("Username:").await?), decoded(&self.ask("Password:").await?)),
            _ => return Ok("504 5.5.4 unknown mechanism".to_owned()),
        };
        if (&name, &given) == (&user, &password) {
            self.login = Some(name);
            Ok("235 2.7.0 welcome".to_owned())
        } else {
            Ok("535 5.7.8 wrong user or password".to_owned())
        }
    }

    async fn ask(&mut self, challenge: &str) -> io::Result<String> {
        self.say(&format!("334 {}", STANDARD.encode(challenge)));
        let line = self.line().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(String::from_utf8_lossy(&line).into_owned())
    }
}

fn decoded(answer: &str) -> String {
    let bytes = STANDARD.decode(answer.trim()).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
