//! Sources of messages: one that dispatches by what a mailing sends, and one that can be replaced
//! while mailings run.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use crate::composition::message::{MessageSource, PrepareError, PreparedMailing};
use crate::model::mailing::{Mailing, MailingContent};

/// Asks the current source. A prepared mailing keeps the source it was prepared with.
pub(crate) struct ReloadableSource {
    inner: RwLock<Arc<dyn MessageSource>>,
}

impl ReloadableSource {
    /// Starts with `source`.
    pub(crate) fn new(source: Arc<dyn MessageSource>) -> Self {
        Self { inner: RwLock::new(source) }
    }

    /// Replaces the source for mailings prepared from now on.
    pub(crate) fn replace(&self, source: Arc<dyn MessageSource>) {
        *self.inner.write().unwrap_or_else(PoisonError::into_inner) = source;
    }
}

impl MessageSource for ReloadableSource {
    fn prepare<'a>(
        &'a self,
        mailing: &'a Mailing,
    ) -> Pin<Box<dyn Future<Output = Result<Arc<dyn PreparedMailing>, PrepareError>> + Send + 'a>> {
        let source = self.inner.read().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(async move { source.prepare(mailing).await })
    }

    fn message_domain(&self) -> Option<String> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).message_domain()
    }
}

/// Asks the source for releases or the one for posts, by what the mailing sends.
pub struct ByContent {
    /// The source for releases.
    pub releases: Arc<dyn MessageSource>,
    /// The source for posts.
    pub posts: Arc<dyn MessageSource>,
}

impl MessageSource for ByContent {
    fn prepare<'a>(
        &'a self,
        mailing: &'a Mailing,
    ) -> Pin<Box<dyn Future<Output = Result<Arc<dyn PreparedMailing>, PrepareError>> + Send + 'a>> {
        match mailing.content {
            MailingContent::Release(_) => self.releases.prepare(mailing),
            MailingContent::Post(_) => self.posts.prepare(mailing),
        }
    }

    fn message_domain(&self) -> Option<String> {
        self.releases.message_domain()
    }
}
