//! The client side of the socket, used by the command line. One connection per request.

use std::path::{Path, PathBuf};

use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::UnixStream;

use super::error::{ApiError, ErrorBody};
use super::path::ApiPath;
use super::stream::Line;

type RequestBody = BoxBody<Bytes, std::io::Error>;

/// A client of the daemon's API.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No daemon answers on the socket.
    #[error("no daemon answers on {socket}: {reason}")]
    Unreachable {
        /// The socket's path.
        socket: PathBuf,
        /// The system's error message.
        reason: String,
    },
    /// The daemon answered with an error.
    #[error("{0}")]
    Refused(ApiError),
    /// The response broke off or is not what was expected.
    #[error("the daemon's answer cannot be used: {0}")]
    Broken(String),
    /// The data to send could not be read.
    #[error("the data to send cannot be read: {0}")]
    Input(String),
}

impl Client {
    /// A client of the daemon at `socket`. Does not connect yet.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into() }
    }

    /// The socket's path.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Sends GET and reads a JSON response.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get<R: DeserializeOwned>(&self, path: impl Into<ApiPath>) -> Result<R, ClientError> {
        self.request(Method::GET, path, &[], empty()).await?.json().await
    }

    /// Sends JSON with any method and reads a JSON response.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn send<T: Serialize, R: DeserializeOwned>(
        &self,
        method: Method,
        path: impl Into<ApiPath>,
        body: &T,
    ) -> Result<R, ClientError> {
        self.request(method, path, &[JSON], json(body)?).await?.json().await
    }

    /// As [`Client::send`] with POST.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn post<T: Serialize, R: DeserializeOwned>(
        &self,
        path: impl Into<ApiPath>,
        body: &T,
    ) -> Result<R, ClientError> {
        self.send(Method::POST, path, body).await
    }

    /// As [`Client::post`], with an idempotency key by which the daemon recognises a repetition.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn post_once<T: Serialize, R: DeserializeOwned>(
        &self,
        path: impl Into<ApiPath>,
        key: &str,
        body: &T,
    ) -> Result<R, ClientError> {
        let headers = [JSON, ("idempotency-key", key)];
        self.request(Method::POST, path, &headers, json(body)?).await?.json().await
    }

    /// Streams bytes from `source` and reads a JSON response.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn upload(
        &self,
        method: Method,
        path: impl Into<ApiPath>,
        content_type: &str,
        source: impl AsyncRead + Send + Sync + Unpin + 'static,
    ) -> Result<Answer, ClientError> {
        self.request(method, path, &[("content-type", content_type)], streamed(source)).await
    }

    /// Sends a request and returns the response with its body unread.
    ///
    /// # Errors
    /// [`ClientError`]; an error response is [`ClientError::Refused`].
    pub async fn download(&self, path: impl Into<ApiPath>) -> Result<Answer, ClientError> {
        self.request(Method::GET, path, &[], empty()).await
    }

    async fn request(
        &self,
        method: Method,
        path: impl Into<ApiPath>,
        headers: &[(&str, &str)],
        body: RequestBody,
    ) -> Result<Answer, ClientError> {
        let unreachable = |reason: String| ClientError::Unreachable { socket: self.socket.clone(), reason };
        let stream = UnixStream::connect(&self.socket).await.map_err(|e| unreachable(e.to_string()))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| unreachable(e.to_string()))?;
        // Ends when sender and response are dropped; the request sees its error too.
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path.into().to_string()).header("host", "depesch");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).map_err(|e| ClientError::Input(e.to_string()))?;
        let response = sender.send_request(request).await.map_err(|e| ClientError::Broken(describe(&e)))?;
        Answer::checked(response).await
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");

fn describe(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn empty() -> RequestBody {
    Full::default().map_err(|never| match never {}).boxed()
}

fn json<T: Serialize>(body: &T) -> Result<RequestBody, ClientError> {
    let bytes = serde_json::to_vec(body).map_err(|e| ClientError::Input(e.to_string()))?;
    Ok(Full::from(bytes).map_err(|never| match never {}).boxed())
}

fn streamed(source: impl AsyncRead + Send + Sync + Unpin + 'static) -> RequestBody {
    let chunks = futures_util::stream::unfold(source, |mut source| async {
        let mut chunk = Vec::with_capacity(64 * 1024);
        match source.read_buf(&mut chunk).await {
            Ok(0) => None,
            Ok(_) => Some((Ok(Frame::data(Bytes::from(chunk))), source)),
            Err(error) => Some((Err(error), source)),
        }
    });
    BodyExt::boxed(StreamBody::new(chunks))
}

/// A successful response whose body is still to be read.
pub struct Answer {
    body: Incoming,
    rest: Vec<u8>,
}

impl Answer {
    async fn checked(response: Response<Incoming>) -> Result<Self, ClientError> {
        let status = response.status();
        let answer = Self { body: response.into_body(), rest: Vec::new() };
        if status.is_success() {
            return Ok(answer);
        }
        let bytes = answer.bytes().await?;
        let error = match serde_json::from_slice::<ErrorBody>(&bytes) {
            Ok(ErrorBody { error }) => {
                ApiError { status: status.as_u16(), code: error.code, message: error.message, hint: error.hint }
            }
            Err(_) => ApiError::new(status.as_u16(), "unknown", String::from_utf8_lossy(&bytes)),
        };
        Err(ClientError::Refused(error))
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// [`ClientError::Broken`] if the response broke off.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ClientError> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|e| ClientError::Broken(describe(&e)))?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// All bytes.
    ///
    /// # Errors
    /// [`ClientError::Broken`].
    pub async fn bytes(mut self) -> Result<Vec<u8>, ClientError> {
        let mut all = std::mem::take(&mut self.rest);
        while let Some(chunk) = self.chunk().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all)
    }

    /// The whole body as one JSON value; an empty body is read as `null`.
    ///
    /// # Errors
    /// [`ClientError::Broken`].
    pub async fn json<R: DeserializeOwned>(self) -> Result<R, ClientError> {
        let bytes = self.bytes().await?;
        let text: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
        serde_json::from_slice(text).map_err(|e| ClientError::Broken(e.to_string()))
    }

    /// The next line as JSON; `None` at the end.
    ///
    /// # Errors
    /// [`ClientError::Broken`].
    pub(crate) async fn line<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ClientError> {
        let mut searched = 0;
        let line = loop {
            if let Some(end) = self.rest[searched..].iter().position(|byte| *byte == b'\n') {
                break self.rest.drain(..=searched + end).collect::<Vec<u8>>();
            }
            searched = self.rest.len();
            match self.chunk().await? {
                Some(chunk) => self.rest.extend_from_slice(&chunk),
                None if self.rest.is_empty() => return Ok(None),
                None => break std::mem::take(&mut self.rest),
            }
        };
        serde_json::from_slice(&line).map(Some).map_err(|e| ClientError::Broken(e.to_string()))
    }

    /// Reads progress lines until the result, see [`super::stream`].
    ///
    /// # Errors
    /// [`ClientError::Refused`] if the work failed, [`ClientError::Broken`] if the response broke off.
    pub async fn follow<P, R>(mut self, mut progress: impl FnMut(P)) -> Result<R, ClientError>
    where
        P: DeserializeOwned,
        R: DeserializeOwned,
    {
        while let Some(line) = self.line::<Line<P, R>>().await? {
            match line {
                Line::Progress(step) => progress(step),
                Line::Result(result) => return Ok(result),
                Line::Error(error) => {
                    let (code, message, hint) = (error.code, error.message, error.hint);
                    return Err(ClientError::Refused(ApiError { status: 422, code, message, hint }));
                }
            }
        }
        Err(ClientError::Broken(
            "the connection ended before the result; check the state before you try again".to_owned(),
        ))
    }
}
