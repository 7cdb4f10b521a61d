//! `depesch bench`: measures the real code in a temporary directory; touches no running daemon.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Subcommand;

use crate::bench::dispatch::{DispatchBench, DispatchResult, run as run_dispatch};
use crate::bench::inbound::{InboundBench, InboundResult, run as run_inbound};
use crate::bench::slow_clients::{SlowClientsBench, SlowClientsResult, run as run_slow_clients};
use crate::bench::soak::{SoakBench, SoakResult, run as run_soak};

use super::{CliError, Context, Done};

/// The available measurements.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Send a mailing to N invented recipients: store on disk, freezing, leases, intents, rendering, SMTP, outcomes
    #[command(after_help = "Examples:\n  depesch bench dispatch --recipients 20000 --connections 50\n  \
        depesch bench dispatch --recipients 20000 --connections 50 --relay 127.0.0.1:2525 --json")]
    Dispatch {
        /// Number of recipients
        #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
        recipients: u64,
        /// Number of connections
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
        connections: u16,
        /// The relay to send to, without TLS; it must discard all mail. By default an internal one
        #[arg(long, value_name = "HOST:PORT", value_parser = host_and_port)]
        relay: Option<(String, u16)>,
        /// Create the store in this empty directory and keep it
        #[arg(long, value_name = "DIRECTORY")]
        directory: Option<PathBuf>,
    },
    /// Receive N bounces over LMTP: spool, parsing, classification, effects in a store on disk
    #[command(after_help = "Examples:\n  depesch bench inbound --bounces 20000 --connections 20\n  \
        depesch bench inbound --bounces 20000 --json")]
    Inbound {
        /// Number of bounces
        #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
        bounces: u64,
        /// Number of connections
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1000))]
        connections: u64,
    },
    /// Test everything at once on a daemon that is killed again and again: does it keep all that it acknowledged?
    #[command(
        after_help = "Mailings, incoming mail, imports, unsubscribes, backups, relay failures, clock jumps, kills and stops. At the end the daemon's\n\
        records are compared with what it acknowledged. Exit code 1 when a check fails.\n\n\
        Examples:\n  depesch bench soak --seconds 60\n  depesch bench soak --seconds 600 --seed 7 --directory /tmp/soak"
    )]
    Soak {
        /// Duration in seconds; it takes a little longer, until all work is done
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(20..=86_400))]
        seconds: u64,
        /// The seed of all random decisions
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Create everything in this directory, which must be empty, and keep it
        #[arg(long, value_name = "DIRECTORY")]
        directory: Option<PathBuf>,
    },
    /// Send mail, one message after the other, while N peers send a byte a second: how long does it take?
    #[command(after_help = "Examples:\n  depesch bench slow-clients --clients 1000 --seconds 20\n  \
        depesch bench slow-clients --listener 127.0.0.1:2525 --recipient media@lists.example.org --json")]
    SlowClients {
        /// Number of slow peers
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(0..=50_000))]
        clients: u32,
        /// Duration in seconds
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=3600))]
        seconds: u32,
        /// Bytes of each message
        #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(0..=10_000_000))]
        size: u32,
        /// A listener that runs already; by default an internal one, with a store on disk
        #[arg(long, value_name = "ADDRESS:PORT", requires = "recipient")]
        listener: Option<SocketAddr>,
        /// The recipient at that listener. It gets the mail
        #[arg(long, value_name = "ADDRESS", requires = "listener")]
        recipient: Option<String>,
    },
}

fn host_and_port(text: &str) -> Result<(String, u16), String> {
    let (host, port) = text.rsplit_once(':').ok_or("write HOST:PORT, e.g. 127.0.0.1:2525")?;
    let port = port.parse().map_err(|_| format!("\u{201c}{port}\u{201d} is not a port"))?;
    Ok((host.to_owned(), port))
}

/// Runs the command. Exit code 1 when a message was lost or doubled, or not all were accepted.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn run(command: BenchCommand, context: &Context) -> Result<Done, CliError> {
    match command {
        BenchCommand::Dispatch { recipients, connections, relay, directory } => {
            let bench = DispatchBench { recipients, connections: connections.into(), relay, directory };
            let result = measured(async move { run_dispatch(&bench).await }).await?;
            match context.output.is_json() {
                true => context.output.json(&result)?,
                false => show(&result, context)?,
            }
            let whole = result.ledger.other == 0 && result.proof.is_none_or(|p| p.lost == 0 && p.doubled == 0);
            Ok(if whole { Done::Fully } else { Done::Partly })
        }
        BenchCommand::Inbound { bounces, connections } => {
            let bench = InboundBench { bounces, connections };
            let result = measured(async move { run_inbound(&bench).await }).await?;
            match context.output.is_json() {
                true => context.output.json(&result)?,
                false => show_inbound(&result, context)?,
            }
            Ok(if result.handled == result.bounces && result.suspended == result.bounces && result.other == 0 {
                Done::Fully
            } else {
                Done::Partly
            })
        }
        BenchCommand::Soak { seconds, seed, directory } => {
            let bench = SoakBench { seconds, seed, directory };
            let result = measured(async move { run_soak(&bench).await }).await?;
            match context.output.is_json() {
                true => context.output.json(&result)?,
                false => show_soak(&result, context)?,
            }
            Ok(if result.is_good() { Done::Fully } else { Done::Partly })
        }
        BenchCommand::SlowClients { clients, seconds, size, listener, recipient } => {
            let bench = SlowClientsBench { clients, seconds, message_bytes: size as usize, listener, recipient };
            let result = measured(async move { run_slow_clients(&bench).await }).await?;
            match context.output.is_json() {
                true => context.output.json(&result)?,
                false => show_slow_clients(&result, context)?,
            }
            Ok(Done::Fully)
        }
    }
}

/// Runs on a task of the runtime, so that the measured code does not share the thread that waits for it.
async fn measured<T: Send + 'static>(
    bench: impl Future<Output = anyhow::Result<T>> + Send + 'static,
) -> Result<T, CliError> {
    match tokio::spawn(bench).await {
        Ok(result) => result.map_err(|error| CliError::Internal(format!("{error:#}"))),
        Err(error) => Err(CliError::Internal(error.to_string())),
    }
}

fn show_inbound(result: &InboundResult, context: &Context) -> Result<(), CliError> {
    context.output.fields(&[
        ("bounces", format!("{} over {} connections", result.bounces, result.connections)),
        ("message", format!("{} bytes", result.message_bytes)),
        ("received", format!("{:.0}/s", result.taken_per_second)),
        ("handled", format!("{:.0}/s, effects durable", result.handled_per_second)),
        ("CPU per bounce", format!("{:.0} \u{b5}s, including the senders", result.cpu_microseconds)),
        ("journal", format!("{:.3} syncs per bounce", result.syncs_per_bounce)),
        ("peak memory", format!("{:.0} MB", result.peak_rss_bytes as f64 / 1e6)),
        (
            "proof",
            format!(
                "{} handled as bounces, {} otherwise; {} subscribers suspended",
                result.handled, result.other, result.suspended
            ),
        ),
    ])
}

fn show_soak(result: &SoakResult, context: &Context) -> Result<(), CliError> {
    let mut fields = vec![("seed", result.seed.to_string())];
    fields.extend(result.done.iter().cloned());
    context.output.fields(&fields)?;
    context.output.line("")?;
    for check in &result.checks {
        let mark = if check.good { "ok    " } else { "FAILED" };
        context.output.line(&format!("{mark}  {}", check.what))?;
        check
            .details
            .iter()
            .filter(|detail| !detail.is_empty())
            .try_for_each(|detail| context.output.line(&format!("          {detail}")))?;
    }
    Ok(())
}

fn show_slow_clients(result: &SlowClientsResult, context: &Context) -> Result<(), CliError> {
    let milliseconds = |value: f64| format!("{value:.1} ms");
    context.output.fields(&[
        ("slow peers", format!("{}, cut off {} times", result.clients, result.cut_off)),
        ("messages", result.messages.to_string()),
        ("p50", milliseconds(result.p50_milliseconds)),
        ("p99", milliseconds(result.p99_milliseconds)),
        ("longest", milliseconds(result.longest_milliseconds)),
        ("peak memory", format!("{:.0} MB, including the peers", result.peak_rss_bytes as f64 / 1e6)),
    ])
}

fn show(result: &DispatchResult, context: &Context) -> Result<(), CliError> {
    let cpu = &result.cpu_microseconds;
    let tenths: Vec<String> = result.rate_by_tenth.iter().map(|rate| format!("{rate:.0}")).collect();
    let proof = match &result.proof {
        Some(proof) => format!("lost {}, doubled {}", proof.lost, proof.doubled),
        None => "unknown for this relay".to_owned(),
    };
    context.output.fields(&[
        ("recipients", format!("{} over {} connections", result.recipients, result.connections)),
        ("message", format!("{} bytes", result.message_bytes)),
        ("written", format!("{:.2} s for the subscribers", result.setup_seconds)),
        ("frozen", format!("{:.2} s", result.freeze_seconds)),
        ("sent", format!("{:.2} s, {:.0} messages/s", result.send_seconds, result.messages_per_second)),
        ("by tenths", format!("{} messages/s", tenths.join(" "))),
        (
            "CPU per message",
            format!(
                "{:.0} \u{b5}s: look-up {:.0}, compose {:.0}, commit {:.0}, SMTP and rest {:.0}",
                cpu.whole, cpu.look_up, cpu.compose, cpu.commit, cpu.smtp_and_rest
            ),
        ),
        ("peak memory", format!("{:.0} MB", result.peak_rss_bytes as f64 / 1e6)),
        (
            "journal",
            format!(
                "{:.0} bytes and {:.3} syncs per message",
                result.journal_bytes_per_message, result.syncs_per_message
            ),
        ),
        (
            "ledger",
            format!(
                "{} accepted, {} other, {} sent again",
                result.ledger.accepted, result.ledger.other, result.ledger.resent
            ),
        ),
        ("proof", proof),
    ])
}
