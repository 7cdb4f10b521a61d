//! Every key of `depesch.toml`: its default, its range, and where its value is stored.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use toml::de::DeValue;

use crate::api::server::SocketSettings;
use crate::model::breaker::BreakerSettings;
use crate::model::mailing::MissedPolicy;
use crate::model::recurrence::Recurrence;
use crate::model::release::attachment::AttachmentBudget;
use crate::model::retry::RetryTable;
use crate::model::zone;
use crate::privacy::retention::rules::Periods;
use crate::render::source::SourceSettings;
use crate::transport::relay::{Encryption, RelaySettings};

use super::backup::BackupConfig;
use super::bounce::BounceConfig;
use super::doctor::DoctorConfig;
use super::inbound::InboundConfig;
use super::reader::{Reader, quoted};
use super::{
    Config, ContentConfig, DispatchConfig, LogConfig, LogFormat, MonitorConfig, OrganisationConfig, RelayConfig,
    ScheduleConfig, TransportChoice, secret,
};

/// The default address of the monitoring port.
const MONITOR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
const SECOND: Duration = Duration::from_secs(1);

pub(super) fn defaults() -> Config {
    let relay = RelaySettings::default();
    Config {
        state_directory: "/var/lib/depesch".into(),
        transport: TransportChoice::Relay,
        capture_directory: None,
        templates_directory: None,
        base_url: None,
        stop_timeout: 30 * SECOND,
        control: SocketSettings::default(),
        organisation: OrganisationConfig { domain: "localhost".to_owned() },
        relay: RelayConfig {
            host: relay.host,
            port: relay.port,
            encryption: relay.encryption,
            authority_file: None,
            login: None,
            password: None,
            hello_name: None,
            timeouts: relay.timeouts,
            messages_per_connection: relay.messages_per_connection,
        },
        retry: RetryTable::default(),
        breaker: BreakerSettings::default(),
        bounce: BounceConfig::default(),
        dispatch: DispatchConfig { node: "depesch".to_owned(), connections: 10, lease: 15 * MINUTE },
        inbound: InboundConfig::default(),
        retention: Periods::default(),
        backup: BackupConfig::default(),
        schedule: ScheduleConfig {
            zone: "Europe/Stockholm".to_owned(),
            missed: MissedPolicy::Ask,
            grace: 15 * MINUTE,
            undo: MINUTE,
            checkpoint: "17 3 * * *".to_owned(),
            retention: "47 3 * * *".to_owned(),
            erasure: "13 * * * *".to_owned(),
        },
        content: ContentConfig {
            attachments_in_mail: AttachmentBudget::default().total,
            country_code: SourceSettings::default().country_code,
            require_alt_text: false,
        },
        doctor: DoctorConfig::default(),
        monitor: MonitorConfig { address: Some(MONITOR), beyond_this_machine: false },
        log: LogConfig { format: LogFormat::Human, level: "info".to_owned() },
    }
}

/// The longest name of a node, in bytes: it is part of each lease.
const LONGEST_NODE: usize = 64;

impl Config {
    pub(super) fn read(&mut self, reader: &mut Reader<'_>) {
        self.read_top(reader);
        self.read_control(reader);
        self.read_organisation(reader);
        self.read_relay(reader);
        self.read_retry(reader);
        self.bounce.read(reader);
        self.read_dispatch(reader);
        self.backup.read(reader);
        self.read_schedule(reader);
        self.read_content(reader);
        self.doctor.read(reader);
        self.read_monitor(reader);
        self.read_log(reader);
    }

    fn read_top(&mut self, reader: &mut Reader<'_>) {
        reader.path("state_directory", "a directory", &mut self.state_directory);
        let transports = [("relay", TransportChoice::Relay), ("capture", TransportChoice::Capture)];
        reader.choice("transport", &transports, &mut self.transport);
        reader.optional_path("capture_directory", "a directory, or \"\"", &mut self.capture_directory);
        reader.optional_path("templates_directory", "a directory, or \"\"", &mut self.templates_directory);
        let mut base_url = self.base_url.clone();
        reader.optional_text("base_url", "an address such as \"https://press.example.org\", or \"\"", &mut base_url);
        if base_url.as_deref().is_some_and(|url| !is_base_url(url)) {
            reader.problem(
                "base_url",
                "expected https:// (or http://) and a host, without a query, such as \"https://press.example.org\"",
            );
        }
        self.base_url = base_url.map(|url| url.trim_end_matches('/').to_owned());
        reader.duration("stop_timeout", SECOND..=10 * MINUTE, &mut self.stop_timeout);
    }

    pub(super) fn read_control(&mut self, reader: &mut Reader<'_>) {
        reader.section("control");
        reader.path("socket", "a path", &mut self.control.path);
        let parse = |value: &DeValue<'_>| {
            u32::from_str_radix(value.as_str()?, 8).ok().filter(|mode| mode & !0o770 == 0 && mode & 0o600 == 0o600)
        };
        let expected = "permissions such as \"0660\": read and write for the owner, nothing for others";
        reader.value("mode", expected, &mut self.control.mode, parse, |mode| format!("\"{mode:04o}\""));
        reader.optional_text("group", "the name of a group, or \"\"", &mut self.control.group);
    }

    fn read_organisation(&mut self, reader: &mut Reader<'_>) {
        reader.section("organisation");
        let expected = "a domain such as \"lists.example.org\"";
        let parse = |value: &DeValue<'_>| value.as_str().filter(|text| is_domain(text)).map(str::to_ascii_lowercase);
        reader.value("domain", expected, &mut self.organisation.domain, parse, |domain| quoted(domain));
    }

    fn read_relay(&mut self, reader: &mut Reader<'_>) {
        reader.section("relay");
        let relay = &mut self.relay;
        reader.text("host", "a host name or an address", &mut relay.host);
        reader.number("port", 1..=u16::MAX, &mut relay.port);
        let modes = [
            ("none", Encryption::None),
            ("opportunistic", Encryption::Opportunistic),
            ("starttls", Encryption::StartTls),
            ("implicit", Encryption::Implicit),
        ];
        reader.choice("tls", &modes, &mut relay.encryption);
        reader.optional_path("authority_file", "a PEM file, or \"\"", &mut relay.authority_file);
        reader.optional_text("login", "a login name, or \"\"", &mut relay.login);
        relay.password = secret::source(reader, "relay", "password", "a file that holds the password");
        if relay.login.is_some() && relay.password.is_none() {
            reader.problem("relay.login", "a login needs relay.password_file or relay.password_credential");
        }
        if relay.login.is_none() && relay.password.is_some() {
            reader.problem("relay.password_file", "a password needs relay.login");
        }
        let is_local = ["localhost", "127.0.0.1", "::1"].contains(&relay.host.as_str());
        if relay.login.is_some()
            && !is_local
            && matches!(relay.encryption, Encryption::None | Encryption::Opportunistic)
        {
            reader.problem(
                "relay.login",
                "a login to another machine needs relay.tls = \"starttls\" or \"implicit\", because the password could \
                 be intercepted",
            );
        }
        reader.optional_text("hello_name", "a host name, or \"\"", &mut relay.hello_name);
        reader.duration("connect_timeout", SECOND..=10 * MINUTE, &mut relay.timeouts.connect);
        reader.duration("command_timeout", SECOND..=HOUR, &mut relay.timeouts.command);
        reader.duration("message_timeout", SECOND..=HOUR, &mut relay.timeouts.message);
        reader.number("messages_per_connection", 1..=1_000_000, &mut relay.messages_per_connection);
    }

    fn read_retry(&mut self, reader: &mut Reader<'_>) {
        reader.section("retry");
        reader.span("first", SECOND..=DAY, &mut self.retry.first);
        reader.fraction("factor", 1.0..=10.0, &mut self.retry.factor);
        reader.span("longest", SECOND..=7 * DAY, &mut self.retry.longest);
        reader.fraction("jitter", 0.0..=1.0, &mut self.retry.jitter);
        reader.span("give_up_after", SECOND..=30 * DAY, &mut self.retry.give_up_after);
        if self.retry.longest < self.retry.first {
            reader.problem("retry.longest", "expected no less than retry.first");
        }
        reader.section("breaker");
        reader.number("refusals", 1..=1_000_000, &mut self.breaker.refusals);
        reader.fraction("share", 0.0..=1.0, &mut self.breaker.share);
        reader.span("window", SECOND..=DAY, &mut self.breaker.window);
        reader.span("rest", SECOND..=7 * DAY, &mut self.breaker.rest);
    }

    fn read_dispatch(&mut self, reader: &mut Reader<'_>) {
        reader.section("dispatch");
        reader.text("node", "a name such as \"depesch\"", &mut self.dispatch.node);
        if self.dispatch.node.is_empty() || self.dispatch.node.len() > LONGEST_NODE {
            reader.problem("dispatch.node", format!("expected 1 to {LONGEST_NODE} bytes"));
        }
        reader.number("connections", 1..=1000, &mut self.dispatch.connections);
        reader.duration("lease", MINUTE..=DAY, &mut self.dispatch.lease);
        self.inbound.read(reader);
        reader.section("retention");
        reader.duration("attachments", DAY..=36_500 * DAY, &mut self.retention.attachments);
        let periods = &mut self.retention;
        let ended = [
            ("former_subscribers", &mut periods.former_subscribers),
            ("server_replies", &mut periods.server_replies),
            ("answers", &mut periods.answers),
            ("audit", &mut periods.audit),
            ("captured", &mut periods.captured),
            ("set_aside", &mut periods.set_aside),
        ];
        for (name, period) in ended {
            reader.period(name, DAY..=36_500 * DAY, period);
        }
        self.retention.mail = self.inbound.keep;
    }

    fn read_content(&mut self, reader: &mut Reader<'_>) {
        reader.section("content");
        reader.number("attachments_in_mail", 0..=50_000_000, &mut self.content.attachments_in_mail);
        reader.text("country_code", "a country calling code such as \"46\"", &mut self.content.country_code);
        let code = &self.content.country_code;
        if !(1..=3).contains(&code.len()) || !code.bytes().all(|b| b.is_ascii_digit()) || code.starts_with('0') {
            reader.problem("content.country_code", "expected one to three digits such as \"46\", without + or 00");
        }
        reader.switch("require_alt_text", &mut self.content.require_alt_text);
    }

    fn read_schedule(&mut self, reader: &mut Reader<'_>) {
        reader.section("schedule");
        reader.text("zone", "an IANA time zone such as \"Europe/Stockholm\"", &mut self.schedule.zone);
        if let Err(error) = zone::zone(&self.schedule.zone) {
            reader.problem("schedule.zone", error.to_string());
        }
        let policies = [("send", MissedPolicy::Send), ("ask", MissedPolicy::Ask), ("expire", MissedPolicy::Expire)];
        reader.choice("missed", &policies, &mut self.schedule.missed);
        reader.duration("grace", Duration::ZERO..=7 * DAY, &mut self.schedule.grace);
        reader.duration("undo", Duration::ZERO..=10 * MINUTE, &mut self.schedule.undo);
        let fields = "five cron fields such as \"17 3 * * *\"";
        let times = [
            ("checkpoint", &mut self.schedule.checkpoint),
            ("retention", &mut self.schedule.retention),
            ("erasure", &mut self.schedule.erasure),
        ];
        for (name, when) in times {
            reader.text(name, fields, when);
            if let Err(error) = Recurrence::new(when, "UTC") {
                reader.problem(&format!("schedule.{name}"), error.to_string());
            }
        }
    }

    fn read_monitor(&mut self, reader: &mut Reader<'_>) {
        reader.section("monitor");
        let expected = "an address with a port such as \"127.0.0.1:9464\", or \"\"";
        let parse = |value: &DeValue<'_>| match value.as_str()? {
            "" => Some(None),
            text => text.parse().ok().map(Some),
        };
        let show = |address: &Option<SocketAddr>| quoted(&address.map_or(String::new(), |address| address.to_string()));
        reader.value("address", expected, &mut self.monitor.address, parse, show);
        reader.switch("beyond_this_machine", &mut self.monitor.beyond_this_machine);
        let MonitorConfig { address, beyond_this_machine } = &self.monitor;
        if address.is_some_and(|address| !address.ip().to_canonical().is_loopback()) && !beyond_this_machine {
            reader.problem(
                "monitor.address",
                "other machines could reach this address and read how much mail there is: \
                 choose one on 127.0.0.1 or [::1], or set monitor.beyond_this_machine = true",
            );
        }
    }

    fn read_log(&mut self, reader: &mut Reader<'_>) {
        reader.section("log");
        reader.choice("format", &[("human", LogFormat::Human), ("json", LogFormat::Json)], &mut self.log.format);
        let expected = "a level (error, warn, info, debug, trace) or directives such as \"info,depesch::store=debug\", \
                        which name a module of depesch or a library that writes to the log";
        let parse = |value: &DeValue<'_>| {
            let text = value.as_str()?;
            // An unknown bare word would be taken for the name of a module, and nothing else would be logged.
            let is_clear =
                |part: &str| part.contains(['=', ':']) || part.parse::<tracing::Level>().is_ok() || part == "off";
            let is_filter = text.split(',').all(|part| is_clear(part.trim()) && has_known_target(part.trim()));
            tracing_subscriber::EnvFilter::try_new(text).ok().filter(|_| is_filter).map(|_| text.to_owned())
        };
        reader.value("level", expected, &mut self.log.level, parse, |level| quoted(level));
    }
}

/// Modules and libraries that write to the log: what a directive may name. A misspelt one would silently log nothing;
/// a test compares the modules of depesch with the sources.
pub const LOG_TARGETS: &[&str] = &[
    "depesch::app",
    "depesch::authentication",
    "depesch::bounce",
    "depesch::cli",
    "depesch::config",
    "depesch::api",
    "depesch::doctor",
    "depesch::audit",
    "depesch::composition",
    "depesch::events",
    "depesch::inbound",
    "depesch::mailings",
    "depesch::operations",
    "depesch::outbound",
    "depesch::privacy",
    "depesch::runtime",
    "depesch::subscribers",
    "depesch::mail",
    "depesch::metrics",
    "depesch::model",
    "depesch::monitor",
    "depesch::render",
    "depesch::mock_smtp",
    "depesch::smtp",
    "depesch::socket",
    "depesch::store",
    "depesch::transport",
    "axum",
    "h2",
    "handlebars",
    "hickory_net",
    "hickory_proto",
    "hickory_resolver",
    "html5ever",
    "hyper",
    "hyper_util",
    "lettre",
    "mail_auth",
    "mio",
    "rustls",
    "sled",
    "tokio",
    "tower",
];

/// Whether a directive such as `depesch::store[commit]=debug` names a log target, or none at all.
fn has_known_target(directive: &str) -> bool {
    let target = directive.split(['=', '[']).next().unwrap_or_default();
    if target.is_empty() || target == "depesch" || !directive.contains(['=', ':', '[']) {
        return true;
    }
    LOG_TARGETS
        .iter()
        .any(|known| target == *known || target.strip_prefix(known).is_some_and(|rest| rest.starts_with("::")))
}

fn is_base_url(url: &str) -> bool {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    host.is_some_and(|rest| {
        !rest.is_empty() && !rest.starts_with('/') && !rest.contains(['?', '#', ' ', '"', '<', '>', '@'])
    })
}

fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}
