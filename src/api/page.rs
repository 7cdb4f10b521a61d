//! A page of records, newest first, of which only some are wanted.

use std::fmt::Display;
use std::str::FromStr;

use crate::store::{Read, StoreError};

use super::error::ApiError;
use super::extract::PageBefore;

/// Records read from the store at a time.
const STEP: usize = 500;
/// Views on a page where the caller names no limit, and the most that a page has.
const USUAL: usize = 50;
const MOST: usize = 5000;

/// The views of the records that are `wanted`, and the id to ask for the next page with; `None` when there is no more.
/// `older` reads at most so many records older than an id, newest first.
///
/// # Errors
/// 400 when `before` is no id; whatever the store says.
pub async fn newest<T, Id, V, Older>(
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
