//! `depesch lint`: the rules of `depesch release check`, explained.

use clap::{Subcommand, ValueEnum};

use crate::model::release::names::AuthorLanguage;
use crate::render::rules;

use super::{CliError, Context, Done};

/// The rules by which releases are checked.
#[derive(Debug, Subcommand)]
pub enum LintCommand {
    /// Explain a rule: what it finds, why, and how to fix it
    #[command(after_help = "The id of a rule stands in square brackets at the end of each finding.\n\n\
        Examples:\n  depesch lint explain weekday\n  depesch lint explain weekday --language sv")]
    Explain {
        /// The rule's id, e.g. weekday
        id: String,
        /// The language of the explanation
        #[arg(long, value_enum, default_value_t = LanguageWord::En)]
        language: LanguageWord,
    },
    /// Show all rules
    #[command(after_help = "Examples:\n  depesch lint list\n  depesch lint list --language sv")]
    List {
        /// The language of the titles
        #[arg(long, value_enum, default_value_t = LanguageWord::En)]
        language: LanguageWord,
    },
}

/// A language in which rules are explained.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LanguageWord {
    /// English
    En,
    /// Swedish
    Sv,
}

impl From<LanguageWord> for AuthorLanguage {
    fn from(word: LanguageWord) -> Self {
        match word {
            LanguageWord::En => Self::English,
            LanguageWord::Sv => Self::Swedish,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub(crate) fn run(command: &LintCommand, context: &Context) -> Result<Done, CliError> {
    match command {
        LintCommand::Explain { id, language } => explain(id, (*language).into(), context),
        LintCommand::List { language } => {
            let language = (*language).into();
            let rows = rules::all().iter().map(|(id, rule)| [id.clone(), rule.explanation(language).title.clone()]);
            context.output.table(&[language.pick("rule", "regel"), language.pick("finds", "hittar")], rows)?;
            Ok(Done::Fully)
        }
    }
}

fn explain(id: &str, language: AuthorLanguage, context: &Context) -> Result<Done, CliError> {
    let id = id.trim().trim_matches(['[', ']']);
    let Some(rule) = rules::all().get(id) else {
        let hint = match rules::nearest(id) {
            Some(near) => format!("did you mean \u{201c}{near}\u{201d}?"),
            None => "\u{201c}depesch lint list\u{201d} shows all".to_owned(),
        };
        return Err(CliError::Usage(format!("there is no rule \u{201c}{id}\u{201d}; {hint}")));
    };
    let explanation = rule.explanation(language);
    let [why, example, fix] = language.pick(["Why", "Example", "Fix"], ["Varför", "Exempel", "Gör så här"]);
    let lines = [
        format!("{id}: {}", explanation.title),
        String::new(),
        format!("{why}: {}", explanation.why),
        format!("{example}: {}", explanation.example.replace('\n', "\n  ")),
        format!("{fix}: {}", explanation.fix),
    ];
    lines.iter().try_for_each(|line| context.output.line(line))?;
    Ok(Done::Fully)
}
