//! Previews of releases and mailings, and test mails.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use crate::base::address::Address;
use crate::base::id::{ListName, ReleaseId};
use crate::base::language::Language;
use crate::composition::message::Sample;
use crate::composition::sample::SampleReader;
use crate::mailings::sample::{Reader, SampleError, show_release};
use crate::mailings::test_mail::{TestError, TestOrder, Testing, send_test};

use super::super::ApiState;
use super::super::audit_trail::Trail;
use super::super::error::ApiError;
use super::super::extract::{Body, Caller, Parameters, Segment};

/// The reader of a preview.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewParameters {
    /// A list whose reader it is shown to.
    pub list: Option<ListName>,
    /// A subscriber, by number or address; without one, an invented reader.
    #[serde(rename = "as")]
    pub subscriber: Option<String>,
    /// The invented reader's name; empty for none.
    pub name: Option<String>,
    /// The invented reader's newsroom; empty for none.
    pub organisation: Option<String>,
    /// The invented reader's language.
    pub language: Option<Language>,
    /// Whether the whole message is wanted, too.
    #[serde(default)]
    pub message: bool,
}

/// A release or mailing as one reader gets it. Its links are valid for nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewView {
    /// The list by which the reader gets it.
    pub list: ListName,
    /// The subject.
    pub subject: String,
    /// The text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
    /// The whole message with CRLF line ends; only if requested.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message: Option<String>,
}

/// Test mails to send.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestRequest {
    /// The recipients' addresses; they need not be subscribers.
    pub to: Vec<String>,
    /// A subscriber, by number or address, whose mail it is; without one, that of an invented reader.
    #[serde(rename = "as", default, skip_serializing_if = "Option::is_none")]
    pub subscriber: Option<String>,
    /// The list that the mail is for; needed only if it is not clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<ListName>,
}

/// Test mails that will be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestAnswer {
    /// The release.
    pub release: String,
    /// The list that the mail is for.
    pub list: ListName,
    /// The number of the subscriber whose mail it is; absent for an invented reader.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reader: Option<String>,
    /// The subject.
    pub subject: String,
    /// Each mail: a notice.
    pub mails: Vec<TestMailView>,
}

/// One test mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestMailView {
    /// The notice.
    pub notice: String,
    /// Its recipient.
    pub address: String,
}

/// The reader whom a sample is made for.
pub(crate) async fn reader_of(
    control: &ApiState,
    caller: &Caller,
    wanted: &PreviewParameters,
) -> Result<Reader, ApiError> {
    if let Some(who) = &wanted.subscriber {
        let found = control.service(caller).find(who).await?;
        return Ok(Reader::Subscriber(Box::new(found.value)));
    }
    let sample = SampleReader::default();
    let given = |given: &Option<String>, sample: Option<String>| match given {
        Some(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
        None => sample,
    };
    Ok(Reader::Invented(SampleReader {
        name: given(&wanted.name, sample.name.clone()),
        organisation: given(&wanted.organisation, sample.organisation.clone()),
        language: wanted.language.clone(),
        ..sample
    }))
}

/// A sample in JSON.
pub(crate) fn view(sample: Sample, with_message: bool) -> PreviewView {
    let message = with_message.then(|| String::from_utf8_lossy(&sample.message.whole()).into_owned());
    PreviewView { list: sample.list, subject: sample.subject, text: sample.text, html: sample.html, message }
}

/// Why there is no sample.
pub(crate) fn refusal(error: SampleError) -> ApiError {
    let message = error.to_string();
    match error {
        SampleError::Store(error) => error.into(),
        SampleError::NoRelease(_) => {
            ApiError::not_found(message).hint("\u{201c}depesch release list\u{201d} shows them all.")
        }
        SampleError::NoList(_) => {
            ApiError::not_found(message).hint("\u{201c}depesch list list\u{201d} shows them all.")
        }
        SampleError::NoLists => ApiError::conflict(message).hint("\u{201c}depesch list create\u{201d} creates one."),
        SampleError::WhichList(_) => {
            ApiError::new(422, "which-list", message).hint("Name the list that the mail is for with --list.")
        }
        SampleError::NotReader { .. } => ApiError::new(422, "not-reader", message)
            .hint("\u{201c}depesch subscriber show\u{201d} shows the person's lists."),
        SampleError::Broken(_) => ApiError::new(422, "broken", message)
            .hint("\u{201c}depesch release check\u{201d} lists everything that is wrong with a file."),
    }
}

pub(super) async fn preview(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    Segment(id): Segment<ReleaseId>,
    Parameters(wanted): Parameters<PreviewParameters>,
) -> Result<Json<PreviewView>, ApiError> {
    let reader = reader_of(&control, &caller, &wanted).await?;
    let (store, now) = (&control.store, control.clock.now());
    let sample = show_release(store, control.messages.as_ref(), now, id, (wanted.list.as_ref(), &reader)).await;
    Ok(Json(view(sample.map_err(refusal)?, wanted.message)))
}

pub(super) async fn test(
    State(control): State<Arc<ApiState>>,
    caller: Caller,
    trail: Trail,
    Segment(release): Segment<ReleaseId>,
    Body(request): Body<TestRequest>,
) -> Result<Json<TestAnswer>, ApiError> {
    let address = |text: &String| text.parse::<Address>().map_err(|e| ApiError::invalid(format!("{text}: {e}")));
    let to = request.to.iter().map(address).collect::<Result<Vec<_>, _>>()?;
    let wanted = PreviewParameters { subscriber: request.subscriber, ..PreviewParameters::default() };
    let reader = reader_of(&control, &caller, &wanted).await?;
    let with = Testing {
        store: &control.store,
        messages: control.messages.as_ref(),
        notices: &control.services.notices.notices,
        blobs: &control.services.files.blobs,
        key: &control.key,
    };
    let reader_id = match &reader {
        Reader::Subscriber(one) => Some(one.id.to_string()),
        Reader::Invented(_) => None,
    };
    let order = TestOrder { release, list: request.list, reader, to };
    let tested = send_test(&with, control.clock.now(), &order).await.map_err(|error| {
        let message = error.to_string();
        match error {
            TestError::Sample(error) => refusal(error),
            TestError::Recipients(_) => ApiError::invalid(message).hint("Give addresses with --to."),
            TestError::Suppressed(_) => ApiError::conflict(message)
                .hint("Only if the person asks for mail again: \u{201c}depesch suppression remove\u{201d}."),
            TestError::Notice(_) => ApiError::new(422, "broken", message),
            TestError::Blob(error) => error.into(),
        }
    })?;
    // Who got it stands in the log by keyed hash, like every address.
    let log = control.audit();
    let sent = tested.notices.iter().map(|(notice, to)| format!("{notice} to {}", log.address_id(to)));
    let read_as = reader_id.as_ref().map(|id| format!(" as {id}")).unwrap_or_default();
    trail.detail(format!("{}{read_as}", sent.collect::<Vec<_>>().join(", ")));
    let mail = |(notice, to): &(_, Address)| TestMailView { notice: format!("{notice}"), address: to.to_string() };
    Ok(Json(TestAnswer {
        release: release.to_string(),
        list: tested.list,
        reader: reader_id,
        subject: tested.subject,
        mails: tested.notices.iter().map(mail).collect(),
    }))
}
