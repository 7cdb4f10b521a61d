//! Responses of long-running work: lines of JSON (NDJSON), each `{"progress": ...}`, and a last line `{"result": ...}`
//! or `{"error": ...}`. A response without that last line was cut off.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::error::{ApiError, ErrorFields};

/// One line of a streamed response.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line<P, R> {
    /// Progress so far.
    Progress(P),
    /// The work succeeded; always the last line.
    Result(R),
    /// The work failed; always the last line.
    Error(ErrorFields),
}

/// Writes the lines of a response, from the task that does the work.
pub(crate) struct LineSender {
    lines: mpsc::Sender<Vec<u8>>,
}

/// The client has disconnected; work that only serves the response may stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client has gone away")]
pub(crate) struct Gone;

impl LineSender {
    /// Sends a progress line.
    ///
    /// # Errors
    /// [`Gone`] if the client has disconnected.
    pub(crate) async fn progress<P: Serialize>(&self, progress: P) -> Result<(), Gone> {
        self.line(&Line::<P, ()>::Progress(progress)).await
    }

    /// Sends the result and ends the response.
    pub(crate) async fn finish<R: Serialize>(self, result: Result<R, ApiError>) {
        let line = match result {
            Ok(result) => Line::<(), R>::Result(result),
            Err(error) => Line::Error(error.body().error),
        };
        // A client that has disconnected needs no response.
        let _ = self.line(&line).await;
    }

    /// Sends any value as one line of JSON, for responses that consist of lines only.
    ///
    /// # Errors
    /// [`Gone`] if the client has disconnected.
    pub(crate) async fn line<T: Serialize>(&self, line: &T) -> Result<(), Gone> {
        let mut bytes = serde_json::to_vec(line).map_err(|_| Gone)?;
        bytes.push(b'\n');
        self.lines.send(bytes).await.map_err(|_| Gone)
    }
}

/// A response of lines and its sender: spawn the work with the sender and return the response.
pub(crate) fn lines() -> (LineSender, Response) {
    streamed("application/x-ndjson")
}

/// A streamed response with any content type, and its sender.
pub(crate) fn streamed(content_type: &'static str) -> (LineSender, Response) {
    let (sender, receiver) = mpsc::channel::<Vec<u8>>(16);
    let stream = futures_util::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|line| (Ok::<_, std::convert::Infallible>(line), receiver))
    });
    let response = ([(CONTENT_TYPE, content_type)], Body::from_stream(stream)).into_response();
    (LineSender { lines: sender }, response)
}
