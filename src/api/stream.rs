//! Answers of long work: lines of JSON (NDJSON), each `{"progress": ...}`, at the end one `{"result": ...}` or
//! `{"error": ...}`. An answer without an end line was cut off.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::error::{ApiError, ErrorFields};

/// One line of a streamed answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line<P, R> {
    /// How far it has come.
    Progress(P),
    /// It is done.
    Result(R),
    /// It failed.
    Error(ErrorFields),
}

/// Where a handler's task writes its lines.
pub struct LineSender {
    lines: mpsc::Sender<Vec<u8>>,
}

/// The client has gone away; work that only serves the answer may stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client has gone away")]
pub struct Gone;

impl LineSender {
    /// Says how far it has come.
    ///
    /// # Errors
    /// [`Gone`] when nobody listens any more.
    pub async fn progress<P: Serialize>(&self, progress: P) -> Result<(), Gone> {
        self.line(&Line::<P, ()>::Progress(progress)).await
    }

    /// Ends with what came of it.
    pub async fn finish<R: Serialize>(self, result: Result<R, ApiError>) {
        let line = match result {
            Ok(result) => Line::<(), R>::Result(result),
            Err(error) => Line::Error(error.body().error),
        };
        // A client that has gone away needs no answer.
        let _ = self.line(&line).await;
    }

    /// Sends one line of any JSON; for answers that are only lines.
    ///
    /// # Errors
    /// [`Gone`] when nobody listens any more.
    pub async fn line<T: Serialize>(&self, line: &T) -> Result<(), Gone> {
        let mut bytes = serde_json::to_vec(line).map_err(|_| Gone)?;
        bytes.push(b'\n');
        self.lines.send(bytes).await.map_err(|_| Gone)
    }

    /// Sends bytes as they are; for answers in another form, e.g. CSV.
    ///
    /// # Errors
    /// [`Gone`] when nobody listens any more.
    pub async fn bytes(&self, bytes: Vec<u8>) -> Result<(), Gone> {
        self.lines.send(bytes).await.map_err(|_| Gone)
    }
}

/// An answer of lines, and where to write them: spawn the work with the sender and return the answer.
pub fn lines() -> (LineSender, Response) {
    streamed("application/x-ndjson")
}

/// A streamed answer of any content type.
pub fn streamed(content_type: &'static str) -> (LineSender, Response) {
    let (sender, receiver) = mpsc::channel::<Vec<u8>>(16);
    let stream = futures_util::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|line| (Ok::<_, std::convert::Infallible>(line), receiver))
    });
    let response = ([(CONTENT_TYPE, content_type)], Body::from_stream(stream)).into_response();
    (LineSender { lines: sender }, response)
}
