//! Pages of records, newest first, filtered.

use std::fmt::Display;
use std::str::FromStr;

use crate::store::{Read, StoreError};

use super::error::ApiError;
use super::extract::PageBefore;

/// Records read from the store per step.
const STEP: usize = 500;
/// Default and maximum number of records on a page.
const USUAL: usize = 50;
const MOST: usize = 5000;

/// The views of the `wanted` records, and the id with which to request the next page; `None` on the last page. `older`
/// reads up to a given number of records older than an id, newest first.
///
/// # Errors
/// 400 if `before` is not an id; errors of the store.
pub(crate) async fn newest<T, Id, V, Older>(
    asked: &PageBefore<impl Sized>,
    older: impl Fn(Option<Id>, usize) -> Older,
    id: impl Fn(&T) -> Id,
    wanted: impl Fn(&T) -> bool,
    view: impl Fn(&T) -> V,
) -> Result<(Vec<V>, Option<String>), ApiError>
where
    Id: FromStr<Err: Display> + Display,
    Older: Future<Output = Result<Vec<Read<T>>, StoreError>>,
{
    let limit = asked.limit.unwrap_or(USUAL).clamp(1, MOST);
    let parse = |text: &String| text.parse().map_err(|error| ApiError::invalid(format!("before: {error}")));
    let mut before: Option<Id> = asked.before.as_ref().map(parse).transpose()?;
    let mut views = Vec::new();
    loop {
        let found = older(before, STEP.min(limit)).await?;
        let Some(oldest) = found.last() else { return Ok((views, None)) };
        before = Some(id(&oldest.value));
        for read in found.iter().filter(|read| wanted(&read.value)) {
            views.push(view(&read.value));
            if views.len() == limit {
                return Ok((views, Some(id(&read.value).to_string())));
            }
        }
    }
}
