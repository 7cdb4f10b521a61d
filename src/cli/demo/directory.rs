//! The demo's directory: created again each time, and removed only if a demo created it.

use std::path::{Path, PathBuf};

use tokio::net::UnixStream;

use super::CliError;

/// Marks a directory that a demo created and may remove.
const MARKER: &str = ".made-by-depesch-demo";
/// Maximum length of a Unix socket's path (unix(7)), less the NUL and the name under which it is first opened.
const SOCKET_PATH: usize = 90;

const FILES: &[(&str, &[u8])] = &[
    ("lists.toml", include_bytes!("../../../subscribers/lists.toml")),
    ("media.csv", include_bytes!("../../../subscribers/media.csv")),
    ("members.csv", include_bytes!("../../../subscribers/members.csv")),
    ("contacts.toml", include_bytes!("../../../docs/samples/contacts.toml")),
    ("inbjudan-riksmote.md", include_bytes!("../../../docs/samples/inbjudan-riksmote.md")),
    ("riksmote-program.pdf", include_bytes!("../../../docs/samples/riksmote-program.pdf")),
];

/// A directory with the samples, the configuration, the state and the mail.
pub(crate) struct DemoDirectory {
    path: PathBuf,
    /// Where the mail server stores what it accepts.
    pub mail: PathBuf,
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> CliError {
    let path = path.to_owned();
    move |error| CliError::File { action, path, error }
}

impl DemoDirectory {
    /// Creates it, after removing what an earlier demo left.
    pub(crate) async fn make(path: &Path) -> Result<Self, CliError> {
        let shown = path.to_owned();
        let absolute = std::path::absolute(path).map_err(failed("found", path))?;
        if absolute.exists() {
            if !absolute.join(MARKER).exists() {
                return Err(CliError::Usage(format!(
                    "{} already exists and was not created by a demo, so it is left alone; choose another with --directory",
                    shown.display()
                )));
            }
            if UnixStream::connect(socket(&absolute)).await.is_ok() {
                return Err(CliError::Usage(format!(
                    "a demo is running in {}; stop it, or choose another with --directory",
                    shown.display()
                )));
            }
            std::fs::remove_dir_all(&absolute).map_err(failed("removed", &shown))?;
        }
        let input = absolute.join("input");
        std::fs::create_dir_all(&input).map_err(failed("made", &shown))?;
        std::fs::write(absolute.join(MARKER), "").map_err(failed("written", &shown))?;
        for (name, content) in FILES {
            std::fs::write(input.join(name), content).map_err(failed("written", &shown))?;
        }
        let mail = shown.join("mail");
        Ok(Self { path: shown, mail })
    }

    /// The path of a sample.
    pub(crate) fn input(&self, name: &str) -> String {
        self.path.join("input").join(name).display().to_string()
    }

    /// The path of the configuration.
    pub(crate) fn configuration(&self) -> PathBuf {
        self.path.join("depesch.toml")
    }

    /// Writes the configuration, for a mail server on `port` of this machine.
    pub(crate) fn configure(&self, port: u16) -> Result<PathBuf, CliError> {
        let file = self.configuration();
        let absolute = std::path::absolute(&self.path).map_err(failed("found", &self.path))?;
        let socket = toml::Value::String(socket(&absolute).display().to_string());
        let text = format!(
            "# The demo's configuration; see systemd/depesch.toml for every key.\n\
             state_directory = \"state\"\n\
             base_url = \"https://press.example.org\"\n\
             stop_timeout = \"5s\"\n\n\
             [control]\nsocket = {socket}\n\n\
             [monitor]\naddress = \"\"\n\n\
             [schedule]\nundo = \"0s\"\n\n\
             [organisation]\ndomain = \"lists.example.org\"\n\n\
             [relay]\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\n\n\
             [dispatch]\nconnections = 4\n\n\
             # So that a second attempt is seen at once; the third is far off.\n\
             [retry]\nfirst = \"1s\"\nfactor = 10.0\njitter = 0.0\nlongest = \"1h\"\n"
        );
        std::fs::write(&file, text).map_err(failed("written", &file))?;
        Ok(file)
    }
}

/// The socket is in the directory, unless its path would be too long.
fn socket(absolute: &Path) -> PathBuf {
    let inside = absolute.join("control.sock");
    if inside.as_os_str().len() <= SOCKET_PATH {
        return inside;
    }
    let name = crate::base::token::to_hex(&crate::base::token::content_hash(inside.as_os_str().as_encoded_bytes()));
    std::env::temp_dir().join(format!("depesch-demo-{}.sock", &name[..16]))
}
