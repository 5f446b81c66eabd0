//! What a form holds. It is small, whole and soon here, or nothing.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Body;
use hyper::header::{self, HeaderMap};

/// A token and a password.
const LARGEST: usize = 4 * 1024;

const DEADLINE: Duration = Duration::from_secs(5);

/// The body is no form of ours.
#[derive(Debug)]
pub struct NotAForm;

/// A form's fields, as in a query.
pub async fn read<B: Body<Data = Bytes>>(headers: &HeaderMap, body: B) -> Result<String, NotAForm> {
    Ok(whole(headers, body).await?.replace('+', "%20"))
}

/// A body as it came.
pub async fn whole<B: Body<Data = Bytes>>(
    headers: &HeaderMap,
    body: B,
) -> Result<String, NotAForm> {
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > LARGEST as u64) {
        return Err(NotAForm);
    }
    let whole = tokio::time::timeout(DEADLINE, collect(body)).await;
    String::from_utf8(whole.map_err(|_| NotAForm)??).map_err(|_| NotAForm)
}

async fn collect<B: Body<Data = Bytes>>(body: B) -> Result<Vec<u8>, NotAForm> {
    let mut body = pin!(body);
    let mut whole = Vec::new();
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let frame = frame.map_err(|_| NotAForm)?;
        let data = frame.into_data().unwrap_or_default();
        if whole.len() + data.len() > LARGEST {
            return Err(NotAForm);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole)
}
