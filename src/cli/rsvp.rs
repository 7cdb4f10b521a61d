//! `depesch rsvp`.

use std::path::PathBuf;

use clap::Subcommand;

use crate::api::path::ApiPath;
use crate::api::rsvp::{AnswerWord, NewAnswer, OverviewView, RsvpView};

use super::download::save;
use super::times::Times;
use super::{CliError, Context, Done};

/// Answers to invitations: who will come.
#[derive(Debug, Subcommand)]
pub enum RsvpCommand {
    /// Show all answers
    #[command(after_help = "Answers to the updates of an event count with those to its first invitation. \
        A \u{201c}?\u{201d} after an answer: something unclear came later, and was sent to the press contact. Names and \
        newsrooms in brackets were not given in the answer, but are known.\n\n\
        Examples:\n  depesch rsvp list r12\n  depesch rsvp list m7 --json | jq .people")]
    List {
        /// A release such as r12, or a mailing such as m7
        event: String,
        /// Also show each person's earlier answers
        #[arg(long)]
        history: bool,
    },
    /// Write the answers as CSV: name, newsroom, function, press card, answer and more
    #[command(after_help = "Safe to open in a spreadsheet.\n\n\
        Examples:\n  depesch rsvp export r12 > guests.csv\n  depesch rsvp export r12 --excel --output guests.csv")]
    Export {
        /// A release such as r12, or a mailing such as m7
        event: String,
        /// For Excel with a decimal comma: byte order mark, and ; between cells
        #[arg(long)]
        excel: bool,
        /// Write CSV, which is also the default
        #[arg(long)]
        csv: bool,
        /// The file, instead of standard output
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Enter an answer given by another way, or one that was unclear
    #[command(after_help = "Examples:\n  depesch rsvp set r12 karin@example.org yes --comment 'by phone, 4 March'")]
    Set {
        /// A release such as r12, or a mailing such as m7
        event: String,
        /// The person's address
        address: String,
        /// The answer
        #[arg(value_parser = ["yes", "no", "maybe"])]
        answer: String,
        /// How it was given, or what was said
        #[arg(long, default_value = "")]
        comment: String,
    },
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn run(command: RsvpCommand, context: &Context) -> Result<Done, CliError> {
    let (client, output) = (&context.client, &context.output);
    let path = |event: &str| ApiPath::new("/v1/rsvps").segment(event);
    match command {
        RsvpCommand::List { event, history } => {
            let overview: OverviewView = client.get(path(&event)).await?;
            if output.is_json() {
                output.json(&overview)?;
                return Ok(Done::Fully);
            }
            list(&overview, history, context)
        }
        RsvpCommand::Export { event, excel, csv: _, output } => {
            save(client.download(path(&event).segment("export").query("excel", excel)).await?, output, context).await
        }
        RsvpCommand::Set { event, address, answer, comment } => {
            let answer = match answer.as_str() {
                "yes" => AnswerWord::Yes,
                "no" => AnswerWord::No,
                _ => AnswerWord::Maybe,
            };
            let new = NewAnswer { address, answer, comment };
            let set: RsvpView = client.post(path(&event), &new).await?;
            match output.is_json() {
                true => output.json(&set)?,
                false => output.line(&format!("{} answers {} to {}", set.address, set.answer, set.event))?,
            }
            Ok(Done::Fully)
        }
    }
}

fn list(overview: &OverviewView, history: bool, context: &Context) -> Result<Done, CliError> {
    let output = &context.output;
    let capacity = overview.capacity.map(|capacity| format!(" of {capacity}")).unwrap_or_default();
    let mut fields = vec![
        ("event", format!("{}, {}", overview.event, overview.headline)),
        ("people", format!("{}{capacity}", overview.people)),
        (
            "answers",
            format!("{} yes, {} no, {} maybe, {} unclear", overview.yes, overview.no, overview.maybe, overview.unclear),
        ),
    ];
    // The event's times are its own, wherever the person is.
    let zone = overview.zone.as_deref().and_then(|zone| zone.parse().ok());
    let of_event = |at| zone.map_or_else(|| output.times.instant(at), |zone| Times::instant_in(zone, at));
    if let Some(start) = overview.start {
        fields.insert(1, ("begins", of_event(start)));
    }
    if let Some(deadline) = overview.deadline {
        fields.insert(2, ("answer before", of_event(deadline)));
    }
    if overview.to_be_seen > 0 {
        let seen =
            format!("{} were sent to the press contact; enter them with \u{201c}rsvp set\u{201d}", overview.to_be_seen);
        fields.push(("to be seen", seen));
    }
    if overview.cut {
        fields.push(("more", "there are more answers".to_owned()));
    }
    output.fields(&fields)?;
    if overview.answers.is_empty() {
        return Ok(Done::Fully);
    }
    output.line("")?;
    let header = ["answer", "name", "newsroom", "function", "press card", "people", "when", "address", "comment"];
    let mut rows = Vec::new();
    for rsvp in &overview.answers {
        rows.push(row(rsvp, output.times));
        if history {
            rows.extend(earlier(rsvp, output.times));
        }
    }
    output.table(&header, rows)?;
    Ok(Done::Fully)
}

fn row(rsvp: &RsvpView, times: Times) -> Vec<String> {
    let text = |value: &Option<String>, name: &str| match value {
        Some(text) if rsvp.known.iter().any(|known| known == name) => format!("({text})"),
        Some(text) => text.clone(),
        None => String::new(),
    };
    let mut answer = rsvp.answer.clone();
    if rsvp.to_be_seen && answer != "unclear" {
        answer.push('?');
    }
    if rsvp.late {
        answer.push_str(", late");
    }
    if rsvp.over_capacity {
        answer.push_str(", over capacity");
    }
    vec![
        answer,
        text(&rsvp.name, "name"),
        text(&rsvp.newsroom, "newsroom"),
        text(&rsvp.function, "function"),
        text(&rsvp.press_card, "press card"),
        rsvp.people.map(|people| people.to_string()).unwrap_or_default(),
        rsvp.at.map(|at| times.instant(at)).unwrap_or_default(),
        rsvp.address.clone(),
        rsvp.comment.clone(),
    ]
}

/// Earlier answers, latest first.
fn earlier(rsvp: &RsvpView, times: Times) -> Vec<Vec<String>> {
    let told = rsvp.changes.iter().rev().filter(|change| Some(change.at) != rsvp.at || change.answer != rsvp.answer);
    told.map(|change| {
        let mut cells = vec![String::new(); 9];
        cells[0] = format!("  {} ({} {})", change.answer, change.way, change.from);
        cells[6] = times.instant(change.at);
        cells[8] = if change.why.is_empty() { change.comment.clone() } else { change.why.clone() };
        cells
    })
    .collect()
}
