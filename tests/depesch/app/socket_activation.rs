//! Sockets opened by systemd: mail is received on them, identified by name, and the daemon needs no privilege for their
//! ports.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};

use crate::support::daemon::{Daemon, Place, complaint};

/// Starts the daemon as systemd does: sockets at descriptor 3 and above, their names in the environment.
fn command(place: &Place, names: &str, first: OwnedFd, second: Option<OwnedFd>) -> Command {
    let served = place.command(&["serve", "--create"]);
    let count = 1 + u8::from(second.is_some());
    let hand_over = format!(
        "exec 3<&0 4<&1 0</dev/null 1>/dev/null; export LISTEN_PID=$$ LISTEN_FDS={count} LISTEN_FDNAMES={names}; \
         exec \"$0\" \"$@\""
    );
    let mut command = Command::new("sh");
    command.arg("-c").arg(hand_over).arg(served.get_program()).args(served.get_args());
    command.stdin(first).stdout(second.map_or_else(Stdio::null, Stdio::from)).stderr(Stdio::piped());
    command
}

fn serve(place: &Place, names: &str, first: OwnedFd, second: Option<OwnedFd>) -> Daemon {
    Daemon::spawned(command(place, names, first, second).spawn().unwrap())
}

struct Client<S> {
    reader: BufReader<S>,
}

impl<S: std::io::Read> Client<S>
where
    for<'a> &'a S: Write,
{
    fn new(stream: S) -> Self {
        let mut client = Self { reader: BufReader::new(stream) };
        assert!(client.reply().starts_with("220 "));
        client
    }

    fn reply(&mut self) -> String {
        let mut last = String::new();
        loop {
            let mut line = String::new();
            assert!(self.reader.read_line(&mut line).unwrap() > 0, "closed after {last:?}");
            last = line;
            if last.as_bytes().get(3) != Some(&b'-') {
                return last;
            }
        }
    }

    fn say(&mut self, line: &str) -> String {
        self.reader.get_ref().write_all(format!("{line}\r\n").as_bytes()).unwrap();
        self.reply()
    }

    /// Sends a message to postmaster, an address of every installation.
    fn message(&mut self, hello: &str) -> String {
        assert!(self.say(&format!("{hello} peer.example")).starts_with("250"));
        assert!(self.say("MAIL FROM:<kim@peer.example>").starts_with("250"));
        let taken = self.say("RCPT TO:<postmaster>");
        assert!(taken.starts_with("250"), "{taken}");
        assert!(self.say("DATA").starts_with("354"));
        self.say("From: kim@peer.example\r\nSubject: hello\r\n\r\nhello\r\n.")
    }
}

#[test]
fn mail_comes_in_on_sockets_that_systemd_opened() {
    let place = Place::new("");
    let smtp = TcpListener::bind("127.0.0.1:0").unwrap();
    let lmtp = UnixListener::bind(place.directory.path().join("lmtp.sock")).unwrap();
    let address = smtp.local_addr().unwrap();
    // A client that connects before the daemon is up waits in the socket.
    let early = TcpStream::connect(address).unwrap();
    let mut daemon = serve(&place, "smtp:lmtp", smtp.into(), Some(lmtp.into()));
    assert!(Client::new(early).message("EHLO").starts_with("250 2.6.0"));
    let mut client = Client::new(UnixStream::connect(place.directory.path().join("lmtp.sock")).unwrap());
    assert!(client.message("LHLO").starts_with("250 2.6.0"));
    daemon.signal("TERM");
    assert!(daemon.wait().success());
    assert!(place.directory.path().join("lmtp.sock").exists(), "its file is systemd's");
}

#[test]
fn lmtp_may_be_on_tcp_too() {
    let place = Place::new("");
    let lmtp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = lmtp.local_addr().unwrap();
    let _daemon = serve(&place, "lmtp", lmtp.into(), None);
    assert!(Client::new(TcpStream::connect(address).unwrap()).message("LHLO").starts_with("250 2.6.0"));
}

#[test]
fn a_socket_of_unknown_use_stops_the_start_with_2() {
    let place = Place::new("");
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = command(&place, "http", socket.into(), None).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(complaint(&refused).contains("FileDescriptorName=smtp"), "{}", complaint(&refused));
}

#[test]
fn a_socket_that_is_not_passed_in_again_is_reported() {
    let place = Place::new("");
    let lmtp = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut daemon = serve(&place, "lmtp", lmtp.into(), None);
    assert_eq!(place.run(&["status"]).status.code(), Some(0));
    assert_eq!(place.run(&["check"]).status.code(), Some(0));
    daemon.signal("TERM");
    assert!(daemon.wait().success());
    let _daemon = place.serve();
    let said = |arguments: &[&str]| {
        let output = place.run(arguments);
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, status) = said(&["status"]);
    assert!(code == Some(1) && status.contains("no mail is received by lmtp"), "{status}");
    let (code, checked) = said(&["check"]);
    assert!(code == Some(2) && checked.starts_with("DEPESCH CRITICAL - no mail is received by lmtp"), "{checked}");
    assert_eq!(place.run(&["inbound", "forget-listener", "smtp"]).status.code(), Some(4));
    assert_eq!(place.run(&["inbound", "forget-listener", "lmtp"]).status.code(), Some(0));
    assert_eq!(said(&["status"]).0, Some(0));
}
