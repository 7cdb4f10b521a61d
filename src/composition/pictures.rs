//! Scales the pictures of releases beside all other work: in a thread of its own, one at a time, because a large one takes
//! some hundred megabytes of memory; the results are kept for a while, since a release is checked, added, queued and sent.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use crate::render::picture::{PictureFault, ScaledPicture, scale};

/// A picture as the mail carries it, or why it cannot.
pub(crate) type Scaled = Result<ScaledPicture, PictureFault>;

/// Maximum bytes of kept results.
const KEPT_BYTES: usize = 32 * 1024 * 1024;

/// Scales pictures and keeps the results. Cheap to clone.
#[derive(Clone, Default)]
pub struct PictureScaler {
    turn: Arc<tokio::sync::Mutex<()>>,
    kept: Arc<Mutex<BTreeMap<[u8; 32], Scaled>>>,
}

impl fmt::Debug for PictureScaler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PictureScaler")
    }
}

impl PictureScaler {
    /// The scaled picture of the file with this SHA-256, which `read` reads if it is needed.
    ///
    /// # Errors
    /// That of `read`. A picture that cannot be scaled is a value.
    pub(crate) async fn scaled<E>(
        &self,
        sha256: [u8; 32],
        read: impl Future<Output = Result<Vec<u8>, E>>,
    ) -> Result<Scaled, E> {
        let _turn = self.turn.lock().await;
        if let Some(kept) = self.kept(&sha256) {
            return Ok(kept);
        }
        let bytes = read.await?;
        let made = tokio::task::spawn_blocking(move || scale(&bytes)).await;
        let made = made.unwrap_or_else(|_| Err(PictureFault::Damaged("reading it was stopped".to_owned())));
        self.keep(sha256, made.clone());
        Ok(made)
    }

    fn kept(&self, sha256: &[u8; 32]) -> Option<Scaled> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(sha256).cloned()
    }

    fn keep(&self, sha256: [u8; 32], made: Scaled) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let size = |one: &Scaled| one.as_ref().map_or(100, |picture| picture.bytes.len());
        if kept.values().map(size).sum::<usize>() + size(&made) > KEPT_BYTES {
            kept.clear();
        }
        kept.insert(sha256, made);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_read_and_scaled_once() {
        let scaler = PictureScaler::default();
        let read = async || Ok::<_, ()>(b"no picture".to_vec());
        assert_eq!(scaler.scaled([1; 32], read()).await, Ok(Err(PictureFault::Format)));
        let again = async || Err::<Vec<u8>, _>("read again");
        assert_eq!(scaler.scaled([1; 32], again()).await, Ok(Err(PictureFault::Format)));
        assert_eq!(scaler.scaled([2; 32], again()).await, Err("read again"));
    }
}
