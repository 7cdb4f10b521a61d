//! `depesch post`.

use clap::Subcommand;

use crate::api::path::ApiPath;
use crate::api::post::{PostView, RefuseRequest};
use crate::base::id::PostId;

use super::times::Times;
use super::{CliError, Context, Done};

/// Posts: mails written to lists, held for a decision or sent on as mailings.
#[derive(Debug, Subcommand)]
pub enum PostCommand {
    /// Show posts, newest first
    #[command(after_help = "Examples:\n  depesch post list\n  depesch post list --state held\n  \
        depesch post list --json | jq -r '.[] | select(.state == \"held\") | .id'")]
    List {
        /// Only posts that are held, approved, refused or expired; held ones in the order in which they expire
        #[arg(long, value_parser = ["held", "approved", "refused", "expired"])]
        state: Option<String>,
        /// Maximum number of posts
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Show one post: its author, whether that is verified, and its state
    #[command(after_help = "Examples:\n  depesch post show p17")]
    Show {
        /// A number such as p17
        id: PostId,
    },
    /// Approve a held post: it becomes a mailing to its list
    #[command(after_help = "Examples:\n  depesch post raw p17 | less\n  depesch post approve p17")]
    Approve {
        /// A number such as p17
        id: PostId,
    },
    /// Refuse a held post
    #[command(after_help = "Its author is notified if a reason is given.\n\n\
        Examples:\n  depesch post refuse p17\n  depesch post refuse p17 --reason 'The date is wrong'")]
    Refuse {
        /// A number such as p17
        id: PostId,
        /// The reason
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Write a post in its original form to standard output; recorded in the daemon's log
    #[command(after_help = "Examples:\n  depesch post raw p17 > post.eml")]
    Raw {
        /// A number such as p17
        id: PostId,
    },
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn run(command: PostCommand, context: &Context) -> Result<Done, CliError> {
    let (client, output) = (&context.client, &context.output);
    match command {
        PostCommand::List { state, limit } => {
            let path = ApiPath::new("/v1/posts").query("limit", limit).query_some("state", state.as_ref());
            let posts: Vec<PostView> = client.get(path).await?;
            if output.is_json() {
                output.json(&posts)?;
            } else if posts.is_empty() {
                output.line("no such post")?;
            } else {
                output.table(
                    &["post", "list", "came", "author", "state", "subject"],
                    posts.iter().map(|post| row(post, output.times)),
                )?;
            }
            Ok(Done::Fully)
        }
        PostCommand::Show { id } => show(&client.get(path(id)).await?, context),
        PostCommand::Approve { id } => {
            let post: PostView = client.post(path(id).segment("approve"), &()).await?;
            match (output.is_json(), &post.mailing) {
                (true, _) => output.json(&post)?,
                (false, Some(mailing)) => output.line(&format!("{id} goes out as {mailing}"))?,
                (false, None) => output.line(&format!("{id} is {} for {}", post.state, held_for(&post)))?,
            }
            Ok(Done::Fully)
        }
        PostCommand::Refuse { id, reason } => {
            let post: PostView = client.post(path(id).segment("refuse"), &RefuseRequest { reason }).await?;
            match output.is_json() {
                true => output.json(&post)?,
                false => output.line(&format!("{id} is refused"))?,
            }
            Ok(Done::Fully)
        }
        PostCommand::Raw { id } => {
            // Complete before the first byte is written: half a message is useless.
            let bytes = client.download(path(id).segment("raw")).await?.bytes().await?;
            output.bytes(&bytes)?;
            Ok(Done::Fully)
        }
    }
}

fn path(id: PostId) -> ApiPath {
    ApiPath::new("/v1/posts").segment(id)
}

fn held_for(post: &PostView) -> &str {
    post.held_for.as_deref().unwrap_or("nothing")
}

fn state(post: &PostView) -> String {
    match (&post.held_for, &post.mailing) {
        (Some(reason), _) => format!("held: {reason}"),
        (None, Some(mailing)) => format!("{}: {mailing}", post.state),
        (None, None) => post.state.clone(),
    }
}

fn row(post: &PostView, times: Times) -> [String; 6] {
    let list = post.list.to_string();
    [post.id.clone(), list, times.instant(post.received), post.author.clone(), state(post), post.subject.clone()]
}

fn show(post: &PostView, context: &Context) -> Result<Done, CliError> {
    if context.output.is_json() {
        context.output.json(post)?;
        return Ok(Done::Fully);
    }
    let times = context.output.times;
    let author = match &post.author_name {
        Some(name) => format!("{name} <{}>", post.author),
        None => post.author.clone(),
    };
    let checks =
        format!("{} (SPF {}, DKIM {}; the domain's policy: {})", post.authentic, post.spf, post.dkim, post.policy);
    let mut fields = vec![
        ("post", post.id.clone()),
        ("list", post.list.to_string()),
        ("author", author),
        ("subject", post.subject.clone()),
        ("came", times.instant(post.received)),
        ("bytes", post.size.to_string()),
        ("author's domain", checks),
        ("state", state(post)),
    ];
    if let Some(until) = post.until {
        let asked = if post.asked.is_empty() { "none by mail".to_owned() } else { post.asked.join(", ") };
        fields.push(("asked", asked));
        fields.push(("expires", times.instant(until)));
    }
    if let Some(decided) = post.decided {
        let by = post.decided_by.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
        fields.push(("decided", format!("{}{by}", times.instant(decided))));
    }
    fields.extend(post.why.clone().map(|why| ("why", why)));
    context.output.fields(&fields)?;
    Ok(Done::Fully)
}
