//! One request to a publisher: bounded redirects, never from https to http, never waiting
//! for ever.

use std::fmt;
use std::io::{self, Read};
use std::time::Duration;

use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, http};

use super::url::Url;

/// Makes requests.
pub struct Client {
    agent: Agent,
}

/// An answer whose head has come.
pub struct Answer {
    /// 200, 206 or 416
    pub status: u16,
    /// `Content-Length`
    pub length: Option<u64>,
    /// First byte and size of the whole, of a 206.
    pub range: Option<(u64, u64)>,
    /// What tells this content from a later one under the same URL.
    pub validator: Option<String>,
    /// Where the redirects led.
    pub url: Url,
    /// The content.
    pub body: Box<dyn Read>,
}

/// Why a request failed.
#[derive(Debug)]
pub struct Fault {
    /// For people, with the URL.
    pub message: String,
    /// Whether another try may go well.
    pub may_pass: bool,
    /// Whether the server has no such file.
    pub missing: bool,
}

/// Download hosts use one or two.
const MOST_REDIRECTS: usize = 5;

/// For names, connections and TLS.
const LONGEST_SETUP: Duration = Duration::from_secs(20);

impl Client {
    /// A client that gives up on a server that is silent for `patience`. It trusts the
    /// certificates of this system.
    pub fn new(patience: Duration) -> Client {
        // Fails only when it was done before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            // Followed here, where they are checked.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("pxeberry/", env!("CARGO_PKG_VERSION")))
            // A packed transfer has no place to go on from.
            .accept_encoding("identity")
            .timeout_resolve(Some(LONGEST_SETUP))
            .timeout_connect(Some(LONGEST_SETUP))
            .timeout_recv_response(Some(patience))
            .timeout_per_read(Some(patience))
            .build();
        Client { agent: config.new_agent() }
    }

    /// Asks for a file, from byte `from` on if it is still the one that `validator` names.
    pub fn get(&self, url: &Url, resume: Option<(u64, &str)>) -> Result<Answer, Fault> {
        let range = resume.map(|(from, validator)| (format!("bytes={from}-"), validator));
        self.follow(url, |at| {
            let mut request = self.agent.get(at.to_string());
            if let Some((range, validator)) = &range {
                request = request.header("Range", range).header("If-Range", *validator);
            }
            request.call()
        })
    }

    /// A file's size, if the server says it without sending it.
    pub fn size(&self, url: &Url) -> Result<Option<u64>, Fault> {
        let answer = self.follow(url, |at| self.agent.head(at.to_string()).call());
        match answer {
            Ok(answer) => Ok(answer.length),
            // Servers that know no HEAD say so in many ways; GET will tell.
            Err(fault) if !fault.missing => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    fn follow(
        &self,
        url: &Url,
        ask: impl Fn(&Url) -> Result<http::Response<Body>, ureq::Error>,
    ) -> Result<Answer, Fault> {
        let mut at = url.clone();
        for _ in 0..=MOST_REDIRECTS {
            let response = ask(&at).map_err(|error| fault(&at, &error))?;
            let status = response.status().as_u16();
            if !matches!(status, 301 | 302 | 303 | 307 | 308) {
                return answer(at, response);
            }
            let location = header(&response, "location").unwrap_or_default();
            at = at.redirect(&location).map_err(|why| Fault::lasting(&at, why))?;
        }
        Err(Fault::lasting(url, format!("redirects more than {MOST_REDIRECTS} times")))
    }
}

impl Fault {
    /// What another try does not change.
    pub fn lasting(subject: impl fmt::Display, why: impl fmt::Display) -> Fault {
        Fault { message: format!("{subject}: {why}"), may_pass: false, missing: false }
    }

    /// What another try may change.
    pub fn passing(subject: impl fmt::Display, why: impl fmt::Display) -> Fault {
        Fault { message: format!("{subject}: {why}"), may_pass: true, missing: false }
    }

    /// What a read of the content says.
    pub fn of_body(url: &Url, error: &io::Error) -> Fault {
        Fault::passing(url, format!("the transfer broke off: {error}"))
    }
}

fn answer(url: Url, response: http::Response<Body>) -> Result<Answer, Fault> {
    let status = response.status().as_u16();
    match status {
        200 | 206 | 416 => {}
        404 | 410 => {
            let fault = Fault::lasting(&url, format!("is not there ({status})"));
            return Err(Fault { missing: true, ..fault });
        }
        429 | 500..=599 => {
            return Err(Fault::passing(&url, format!("the server is in trouble ({status})")));
        }
        _ => return Err(Fault::lasting(&url, format!("the server answers {status}"))),
    }
    // Only a strong validator may stand in If-Range; a date is as strong as it gets.
    let etag = header(&response, "etag").filter(|etag| etag.starts_with('"'));
    Ok(Answer {
        status,
        length: header(&response, "content-length").and_then(|text| text.parse().ok()),
        range: header(&response, "content-range").and_then(|text| content_range(&text)),
        validator: etag.or_else(|| header(&response, "last-modified")),
        url,
        body: Box::new(response.into_body().into_reader()),
    })
}

fn header(response: &http::Response<Body>, name: &str) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.trim().to_owned())
}

/// `bytes 5-9/10` as (5, 10).
fn content_range(text: &str) -> Option<(u64, u64)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (from, last) = range.split_once('-')?;
    let (from, last, total) = (from.parse().ok()?, last.parse::<u64>().ok()?, total.parse().ok()?);
    (last.checked_add(1) == Some(total)).then_some((from, total))
}

fn fault(url: &Url, error: &ureq::Error) -> Fault {
    use ureq::Error;
    match error {
        Error::HostNotFound => {
            Fault::lasting(url, "the host is not found; is this computer online?")
        }
        Error::Timeout(_) => Fault::passing(url, "the server does not answer"),
        Error::Io(cause) if cause.kind() == io::ErrorKind::InvalidData => {
            Fault::lasting(url, format!("no safe connection: {cause}"))
        }
        Error::Io(cause) => Fault::passing(url, cause),
        other => Fault::lasting(url, other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_range_that_ends_the_file_is_understood() {
        assert_eq!(content_range("bytes 5-9/10"), Some((5, 10)));
        for text in ["bytes 5-8/10", "bytes */10", "bytes 5-9/*", "5-9/10", "bytes 5-9"] {
            assert_eq!(content_range(text), None, "{text}");
        }
    }
}
