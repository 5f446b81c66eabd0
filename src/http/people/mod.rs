//! People on the LAN: the page, the API under `/api`, and the forms of the admin.
//!
//! Everybody may look. What changes something needs the admin's session, the number that
//! stands in his forms, and a request to one of our own names; firmware is answered
//! elsewhere, and never by this.

pub(super) mod body;
mod desk;
mod reply;
mod waiting;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Body as HttpBody;
use hyper::header::HeaderMap;
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode, header};
use tokio::sync::Mutex;

use super::admin::{Admin, Entry, Names, is_ours};
use super::body::Body;
use super::page::{self, Refused, Said, Visitor, Wanted};
use super::route::{Route, value};
use crate::config::Secret;
use crate::control::api::{self, ApiAnswer, ApiRequest};
use crate::control::machines::story;
use crate::control::metrics;
use crate::net::Mac;
use crate::world::World;
use crate::world::media::Scanner;
use body::read;
use desk::{Desk, at};
use reply::{fill, html, json, moved, no_method, signed_in, signed_out, text, with_retry};
use waiting::Waiting;

/// What the API can change from the LAN; safe mode is the panel's own.
const ACTS: [&str; 4] = ["arm", "disarm", "wake", "reboot"];

/// All that people on the LAN are answered with.
pub struct People {
    admin: Admin,
    scanner: Scanner,
    waiting: Waiting,
    /// One list of all machines is made at a time, on a thread of its own.
    desk: Arc<Mutex<Desk>>,
    /// And one of everything else: with thousands of machines a list takes long.
    counter: Arc<Mutex<()>>,
}

/// One request.
struct Asked<'a> {
    world: &'a Arc<World>,
    head: &'a Parts,
    asker: Ipv4Addr,
    cookie: &'a str,
}

impl People {
    /// Nobody is signed in.
    pub fn new(password: Option<Secret>, scanner: Scanner) -> People {
        People {
            admin: Admin::new(password),
            scanner,
            waiting: Waiting::default(),
            desk: Arc::default(),
            counter: Arc::default(),
        }
    }

    /// Answers one request.
    pub async fn answer<B: HttpBody<Data = Bytes>>(
        &self,
        world: &Arc<World>,
        place: Route,
        request: Request<B>,
        asker: Ipv4Addr,
    ) -> Response<Body> {
        let (head, body) = request.into_parts();
        let cookie = cookie(&head.headers);
        let asked = Asked { world, head: &head, asker, cookie };
        let only_head = head.method == Method::HEAD;
        let mut answer =
            match (head.method == Method::POST, only_head || head.method == Method::GET) {
                (false, true) => self.shows(&asked, place).await,
                (true, _) if may_be_posted(&place) => self.does(&asked, place, body).await,
                _ => no_method(if may_be_posted(&place) { "POST" } else { "GET, HEAD" }),
            };
        if only_head {
            *answer.body_mut() = Body::Empty;
        }
        answer
    }

    /// What only looks.
    async fn shows(&self, asked: &Asked<'_>, place: Route) -> Response<Body> {
        let query = asked.head.uri.query().unwrap_or_default();
        match place {
            Route::Page => {
                let wanted = Wanted::parse(query, value);
                let visitor = self.visitor(asked);
                let world = Arc::clone(asked.world);
                let made = at(&self.desk, move |desk| {
                    let home = desk.home(&world);
                    page::home(&home, &wanted, &visitor)
                });
                html(StatusCode::OK, made.await)
            }
            Route::Metrics => {
                let world = Arc::clone(asked.world);
                let made = at(&self.counter, move |()| metrics::metrics(&world)).await;
                reply::metrics(made)
            }
            Route::Machine(mac) => self.machine(asked, mac).await,
            Route::SignIn => {
                let page = page::sign_in(&self.visitor(asked), self.admin.welcome(), None);
                html(StatusCode::OK, Some(page))
            }
            Route::Api(path) => self.api(asked, &path, query).await,
            _ => no_method("POST"),
        }
    }

    async fn machine(&self, asked: &Asked<'_>, mac: Mac) -> Response<Body> {
        let visitor = self.visitor(asked);
        let world = Arc::clone(asked.world);
        let made = at(&self.counter, move |()| {
            let revision = world.revision();
            let story = story(&world, mac)?;
            let has_capture = visitor.form.is_some() && world.capture(mac).is_some();
            Some(page::machine(&page::Told { story: &story, revision, has_capture }, &visitor))
        });
        match made.await {
            Some(None) => text(StatusCode::NOT_FOUND, "no such machine was seen here\n"),
            made => html(StatusCode::OK, made.flatten()),
        }
    }

    /// The API, for reading.
    async fn api(&self, asked: &Asked<'_>, path: &str, query: &str) -> Response<Body> {
        let path = path.to_owned();
        let query = query.to_owned();
        let request = ApiRequest { method: "GET", path: &path, query: &query, body: &[] };
        if api::needs_rights(&request) && self.admin.form_of(asked.cookie).is_none() {
            return json(StatusCode::FORBIDDEN, "only the admin may see a machine's packets");
        }
        if let Some(known) = api::waits_for(&request) {
            let Some(_place) = self.waiting.enter(asked.asker) else {
                return with_retry(
                    json(StatusCode::TOO_MANY_REQUESTS, "too many wait for a change already"),
                    Duration::from_secs(5),
                );
            };
            waiting::for_change(asked.world, known).await;
        }
        let (world, scanner) = (Arc::clone(asked.world), self.scanner.clone());
        fill(match path.as_str() {
            "/v1/machines" => at(&self.desk, move |desk| desk.machines(&world, &scanner)).await,
            _ => {
                let answer = move |(): &mut ()| {
                    let request =
                        ApiRequest { method: "GET", path: &path, query: &query, body: &[] };
                    api::answer(&world, &scanner, &request)
                };
                at(&self.counter, answer).await
            }
        })
    }

    /// What changes something.
    async fn does<B: HttpBody<Data = Bytes>>(
        &self,
        asked: &Asked<'_>,
        place: Route,
        body: B,
    ) -> Response<Body> {
        let header = |name| asked.head.headers.get(name).and_then(|value| value.to_str().ok());
        let (host, origin) = (header(header::HOST), header(header::ORIGIN));
        let (address, called) = (asked.world.own_subnet().address(), asked.world.called());
        let hosts = &asked.world.config.admin.hosts;
        if !is_ours(host, origin, &Names { address, called: called.as_deref(), hosts }) {
            let words = "this box has another name; use its address, or list the name in \
                         admin.hosts of pxeberry.toml\n";
            return text(StatusCode::FORBIDDEN, words);
        }
        let Ok(form) = read(&asked.head.headers, body).await else {
            return text(StatusCode::PAYLOAD_TOO_LARGE, "too much, or not in time\n");
        };
        match place {
            Route::SignIn => self.signs_in(asked, &form).await,
            Route::Api(path) => self.api_acts(asked, &path, &form).await,
            place => self.acts(asked, place, &form).await,
        }
    }

    async fn signs_in(&self, asked: &Asked<'_>, form: &str) -> Response<Body> {
        let refused = |status, why: String| {
            let page =
                page::sign_in(&self.visitor(asked), self.admin.welcome(), Some(&Refused(why)));
            html(status, Some(page))
        };
        if !self.admin.is_welcome(&value(form, "token")) {
            let why = "This form was old. Please try again.".to_owned();
            return refused(StatusCode::FORBIDDEN, why);
        }
        match self.admin.try_password(asked.asker, value(form, "password")).await {
            Entry::Welcome(cookie, _) => signed_in(moved("/"), &cookie),
            Entry::Wrong => refused(StatusCode::FORBIDDEN, "That is not the password.".to_owned()),
            Entry::Later(wait) => {
                let why = format!(
                    "Too many wrong passwords. Try again in {} s.",
                    wait.as_secs().saturating_add(1)
                );
                with_retry(refused(StatusCode::TOO_MANY_REQUESTS, why), wait)
            }
            Entry::NoPassword => refused(StatusCode::FORBIDDEN, String::new()),
            Entry::Broken => text(StatusCode::SERVICE_UNAVAILABLE, "not now\n"),
        }
    }

    /// A form of a page; it leads back there.
    async fn acts(&self, asked: &Asked<'_>, place: Route, form: &str) -> Response<Body> {
        if !self.admin.may(asked.cookie, &value(form, "token")) {
            return moved("/login");
        }
        let (path, back, words) = match place {
            Route::SignOut => {
                self.admin.leave(asked.cookie);
                return signed_out(moved("/"));
            }
            Route::Rescan => {
                ("/v1/rescan".to_owned(), "/".to_owned(), "The sticks are read again.")
            }
            Route::Act(mac, act) => {
                let page = format!("/machines/{}", mac.to_string().replace(':', "-"));
                let words = match act.as_str() {
                    "arm" => "Armed: its next network boot installs it.",
                    "disarm" => "Disarmed: it boots its own disk.",
                    "wake" => "It was sent a packet that wakes it.",
                    _ => "Done.",
                };
                (format!("/v1/machines/{mac}/{act}"), page, words)
            }
            _ => return moved("/"),
        };
        let answer = self.perform(asked, path).await;
        let good = (200..300).contains(&answer.code);
        let words = if good { words.to_owned() } else { error_of(&answer) };
        log::info!("http: the admin at {}: {}: {words}", asked.asker, asked.head.uri.path());
        self.admin.say(asked.cookie, good, words);
        moved(&back)
    }

    /// The API, for changes; programs sign in at `/api/v1/session`.
    async fn api_acts(&self, asked: &Asked<'_>, path: &str, form: &str) -> Response<Body> {
        if path == "/v1/session" {
            return match self.admin.try_password(asked.asker, value(form, "password")).await {
                Entry::Welcome(cookie, token) => signed_in(reply::token(&token), &cookie),
                Entry::Wrong => json(StatusCode::FORBIDDEN, "that is not the password"),
                Entry::Later(wait) => with_retry(
                    json(StatusCode::TOO_MANY_REQUESTS, "too many wrong passwords"),
                    wait,
                ),
                Entry::NoPassword => json(StatusCode::FORBIDDEN, "no password is set"),
                Entry::Broken => json(StatusCode::SERVICE_UNAVAILABLE, "not now"),
            };
        }
        let token = asked.head.headers.get("x-token").and_then(|value| value.to_str().ok());
        if !self.admin.may(asked.cookie, token.unwrap_or_default()) {
            let words = "sign in at /api/v1/session and send its token as X-Token";
            return json(StatusCode::FORBIDDEN, words);
        }
        let answer = self.perform(asked, path.to_owned()).await;
        log::info!("http: the admin at {}: {path}: {}", asked.asker, answer.code);
        fill(Some(answer))
    }

    /// Whoever gets here may: the card is written on a thread of its own.
    async fn perform(&self, asked: &Asked<'_>, path: String) -> ApiAnswer {
        let (world, scanner) = (Arc::clone(asked.world), self.scanner.clone());
        let done = tokio::task::spawn_blocking(move || {
            let request = ApiRequest { method: "POST", path: &path, query: "", body: &[] };
            api::answer(&world, &scanner, &request)
        });
        let answer = done.await.unwrap_or_else(|_| api::error(503, "not now"));
        // Whoever did it sees it on the next page.
        *self.desk.lock().await = Desk::default();
        answer
    }

    fn visitor(&self, asked: &Asked<'_>) -> Visitor {
        let said = match asked.head.method {
            Method::GET => self.admin.word(asked.cookie),
            _ => None,
        };
        Visitor {
            form: self.admin.form_of(asked.cookie),
            possible: self.admin.is_possible(),
            said: said.map(|(good, words)| Said { good, words }),
            part: asked.head.headers.contains_key("x-part"),
        }
    }
}

/// Which places a form or a program may change something at.
fn may_be_posted(place: &Route) -> bool {
    match place {
        Route::SignIn | Route::SignOut | Route::Rescan => true,
        Route::Act(_, act) => ACTS.contains(&act.as_str()),
        Route::Api(path) => {
            let act = path.strip_prefix("/v1/machines/").and_then(|rest| rest.split_once('/'));
            matches!(path.as_str(), "/v1/session" | "/v1/rescan")
                || act.is_some_and(|(_, act)| ACTS.contains(&act))
        }
        _ => false,
    }
}

fn cookie(headers: &HeaderMap) -> &str {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut cookies = lines.flat_map(|line| line.split(';'));
    cookies.find_map(|cookie| cookie.trim().strip_prefix(reply::COOKIE)).unwrap_or_default()
}

fn error_of(answer: &ApiAnswer) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
    let told = parsed.as_ref().and_then(|value| value.get("error")?.as_str());
    told.map_or_else(|| "That did not work.".to_owned(), |words| format!("Not done: {words}."))
}
