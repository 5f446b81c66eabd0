//! From a place to an answer: looks up what stands there for the machine that asks.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Body as HttpBody;
use hyper::header::HeaderValue;
use hyper::{Method, Request, Response, StatusCode, header};

use super::body::Body;
use super::config::config;
use super::people::body;
use super::report::{boot_failed, hello, report, step};
use super::response::{Asked, Downloads, Found, OPEN_DEADLINE, respond, text};
use super::route::{Route, route};
use super::story::{hear_agent, tell_refusal};
use super::webhook;
use crate::boot::install_script::{self, Job, Work};
use crate::boot::plan::{Media, Plan};
use crate::fleet::life::Event;
use crate::fleet::stage::{Sign, Stage};
use crate::fleet::timeline::{Source, Weight};
use crate::inventory::profile::Purpose;
use crate::inventory::{ConfigKind, Image, MediaFile};
use crate::net::Mac;
use crate::tftp::tree::Name;
use crate::verify::Gate;
use crate::world::content::{Content, InIso, content, iso_file};
use crate::world::transfers::WhenSent;
use crate::world::{Shelf, TOKEN_LENGTH, World};

/// A request holds this long for a stick that was pulled, or is still being read: most
/// installers take a "not now" as final. UEFI waits 5 s for the first byte.
const PATIENCE: Duration = Duration::from_secs(4);

/// Answers one request from the machine at `asker`.
pub async fn answer<B: HttpBody<Data = Bytes>>(
    world: &Arc<World>,
    downloads: &Downloads,
    request: Request<B>,
    asker: Ipv4Addr,
) -> Response<Body> {
    let (request, posted) = request.into_parts();
    let place = Arc::new(route(request.uri.to_string().as_str()));
    let reading = matches!(request.method, Method::GET | Method::HEAD);
    let reporting = request.method == Method::POST && matches!(*place, Route::Event { .. });
    if !reading && !reporting {
        let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD work here\n");
        answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    let only_head = request.method == Method::HEAD;
    if reporting
        && let Route::Event { token, .. } = &*place
        && let Ok(text) = body::whole(&request.headers, posted).await
        && let Some(line) = webhook::line(&text)
    {
        let found = step(world, token, &line);
        let headers = &request.headers;
        return respond(found, &Asked { headers, asker, only_head, world, downloads }).await;
    }
    let mut shelf = world.watch_shelf();
    let mut found = look(world, &place, asker, only_head).await;
    if found.may_come() {
        // Woken by each change of the sticks until the patience is at its end.
        let _ = tokio::time::timeout(PATIENCE, async {
            while found.may_come() && shelf.changed().await.is_ok() {
                found = look(world, &place, asker, only_head).await;
            }
        })
        .await;
    }
    let headers = &request.headers;
    if !only_head {
        hear_agent(world, asker, headers);
        tell_refusal(world, asker, &place, &found);
    }
    respond(found, &Asked { headers, asker, only_head, world, downloads }).await
}

/// What stands there, if machines may have it.
async fn look(world: &Arc<World>, place: &Arc<Route>, asker: Ipv4Addr, only_head: bool) -> Found {
    match look_up(world, place, asker, only_head).await {
        Found::InIso(place, when_sent) => {
            verified(world, look_into(world, place, asker).await.telling(when_sent), asker)
        }
        found => verified(world, found, asker),
    }
}

/// What may be written down first is found on a thread of its own: a card can take a tenth
/// of a second, and nobody else waits for that.
async fn look_up(
    world: &Arc<World>,
    place: &Arc<Route>,
    asker: Ipv4Addr,
    only_head: bool,
) -> Found {
    if only_head || !place.may_be_written_down() {
        return find(world, place, asker, only_head);
    }
    let (world, place) = (Arc::clone(world), Arc::clone(place));
    let found = tokio::task::spawn_blocking(move || find(&world, &place, asker, only_head)).await;
    found.unwrap_or(Found::NotReady)
}

/// A reader of its stick looks into the ISO, when it is this machine's turn.
async fn look_into(world: &World, place: InIso, asker: Ipv4Addr) -> Found {
    let path = place.path();
    let looking = world.readers.read(&place.errand(asker), move || place.find());
    match tokio::time::timeout(OPEN_DEADLINE, looking).await {
        Ok(Ok(content)) => found(content, &path),
        Ok(Err(_)) | Err(_) => {
            log::warn!("http: {path}: its ISO is not read in time; does the stick hang?");
            Found::Unreadable
        }
    }
}

/// The file, if machines may have it.
fn verified(world: &World, found: Found, asker: Ipv4Addr) -> Found {
    let Found::File(file, when_sent) = found else {
        return found;
    };
    match world.gate(&file) {
        Gate::Open => Found::File(file, when_sent),
        Gate::Wait => Found::Unverified,
        Gate::Closed(why) => {
            let words = format!("{} is not given out: {}", file.path, why.of_file);
            log::warn!("http: {asker} asks in vain: {words}");
            Found::Forbidden(words)
        }
    }
}

fn find(world: &Arc<World>, place: &Route, asker: Ipv4Addr, only_head: bool) -> Found {
    let shelf = world.shelf();
    let inventory = &shelf.inventory;
    let newest_file = |name: &str| inventory.images.iter().find_map(|image| image.file(name));
    match place {
        Route::Boot(name) => match content(world, name, asker, !only_head) {
            Content::Loader(file) => {
                let when_sent = loader_sent(world, name.path(), asker);
                Found::File(file, when_sent.filter(|_| !only_head))
            }
            content @ (Content::Media(_) | Content::InIso(_)) => {
                let path = name.path();
                let image = inventory.image_of(&path);
                let when = image
                    .and_then(|(image, _)| when_delivered(world, image, &path, asker, only_head));
                found(content, &path).telling(when)
            }
            other => found(other, &name.path()),
        },
        Route::Iso(path) => found(iso_file(world, &shelf, path), path),
        Route::InstallScript => install_script(world, asker, only_head),
        Route::Config(kind, part, mac) => config(world, (*kind, *part), *mac, asker, only_head),
        Route::Introduction { mac, uuid, serial } => {
            // Anybody else may look at the script; what he says of the machine is nothing.
            if !only_head && world.machine_itself_at(asker) == Some(*mac) {
                world.heard_serial(*mac, uuid, serial);
            }
            find(world, &Route::Boot(Name::IntroducedScript(*mac)), asker, only_head)
        }
        Route::OldImageFile(version, name) => {
            let images = inventory.images.iter().filter(|image| image.version == *version);
            let found = images.into_iter().find_map(|image| Some((image, image.file(name)?)));
            image_file(world, &shelf, found, name, asker, only_head)
        }
        Route::OldImageFileFor(cpu, version, name) => {
            let images = inventory.images.iter().filter(|image| image.version == *version);
            let found =
                images.into_iter().find_map(|image| Some((image, image.file_for(*cpu, name)?)));
            image_file(world, &shelf, found, name, asker, only_head)
        }
        Route::ImageFile(system, version, name) => {
            let fits = |image: &&Image| image.system == *system && image.version == *version;
            let image = inventory.images.iter().find(fits);
            let found = image.and_then(|image| Some((image, image.file(name)?)));
            image_file(world, &shelf, found, name, asker, only_head)
        }
        Route::CurrentImageFile(name) => match (newest_file(name), name.as_str()) {
            (Some(file), _) => Found::File(file.clone(), None),
            (None, "version.txt") => version_file(world),
            (None, _) => missing(world, &shelf, name),
        },
        Route::Event { token, event } => report(world, token, event, only_head),
        Route::Hello { mac, memory, chip } => hello(world, *mac, *memory, chip, asker, only_head),
        Route::BootFailed { mac, failure } => boot_failed(world, *mac, failure, asker, only_head),
        // People are answered elsewhere.
        Route::Page
        | Route::Metrics
        | Route::Machine(_)
        | Route::Act(..)
        | Route::SignIn
        | Route::SignOut
        | Route::Rescan
        | Route::Api(_)
        | Route::Nowhere => Found::Missing("this".to_owned()),
    }
}

fn found(content: Content, name: &str) -> Found {
    match content {
        Content::Bytes(bytes) => Found::Bytes("application/octet-stream", bytes),
        Content::Media(file) | Content::Loader(file) => Found::File(file, None),
        Content::NotReady => Found::NotReady,
        Content::Missing => Found::Missing(name.to_owned()),
        Content::Unreadable => Found::Unreadable,
        Content::InIso(place) => Found::InIso(place, None),
    }
}

/// A file of an image; the machine's life notes when its disk image is out.
fn image_file(
    world: &Arc<World>,
    shelf: &Shelf,
    found: Option<(&Image, &MediaFile)>,
    name: &str,
    asker: Ipv4Addr,
    only_head: bool,
) -> Found {
    let machine = world.machine_at(asker);
    let Some((image, file)) = found else {
        if let Some(mac) = machine.filter(|mac| needs(shelf, *mac, name)) {
            world.saw(mac, &Sign::Misses(name));
        }
        return missing(world, shelf, name);
    };
    Found::File(file.clone(), when_delivered(world, image, name, asker, only_head))
}

/// What is noted when a file was sent whole that is what its installer writes.
fn when_delivered(
    world: &Arc<World>,
    image: &Image,
    name: &str,
    asker: Ipv4Addr,
    only_head: bool,
) -> Option<WhenSent> {
    let takes = image.profile.writes(name) && !only_head;
    let mac = takes.then(|| world.machine_itself_at(asker))??;
    world.saw(mac, &Sign::Reaches(Stage::Installer));
    let world = Arc::clone(world);
    Some(Box::new(move || {
        world.happened(mac, Event::ImageDelivered);
    }))
}

/// Whether a machine cannot be installed without this file: its image, or what proves it.
fn needs(shelf: &Shelf, mac: Mac, name: &str) -> bool {
    let machine = shelf.inventory.machine(mac);
    let image = machine.and_then(|machine| shelf.inventory.image_for(machine, mac));
    image.is_some_and(|image| image.profile.writes(name.strip_suffix(".sig").unwrap_or(name)))
}

/// What is told when a loader was sent whole.
fn loader_sent(world: &Arc<World>, name: String, asker: Ipv4Addr) -> Option<WhenSent> {
    let mac = world.machine_at(asker)?;
    let world = Arc::clone(world);
    Some(Box::new(move || world.loader_sent(mac, &name)))
}

/// Flatcar's and CoreOS's installers ask for it when they have no version of their own.
fn version_file(world: &World) -> Found {
    let shelf = world.shelf();
    let keyed = |image: &Image| Some((image.profile.version_key.clone()?, image.version.clone()));
    match shelf.inventory.images.iter().find_map(keyed) {
        Some((key, version)) => {
            let text = format!("{key}={version}\n");
            Found::Bytes("text/plain", text.into_bytes())
        }
        None => missing(world, &shelf, "version.txt"),
    }
}

/// The stick's own script as it is, else one that is made for the machine that asks.
fn install_script(world: &World, asker: Ipv4Addr, only_head: bool) -> Found {
    let shelf = world.shelf();
    if world.media_of(&shelf) != Media::Ready {
        return Found::NotReady;
    }
    let inventory = &shelf.inventory;
    let client = world.machine_itself_at(asker);
    let plan = client.map(|mac| (mac, world.plan(mac)));
    if matches!(plan, Some((_, Plan::Wait))) {
        return Found::NotReady;
    }
    let (Some((mac, Plan::Install(installation))), own) = (plan, &inventory.install_script) else {
        return match &inventory.install_script {
            Some(script) => Found::File(script.clone(), None),
            None => refusal("it is not armed; `pxeberry arm` on the server arms it"),
        };
    };
    if installation.purpose == Purpose::Live {
        return refusal("the stick has it run in memory");
    }
    if !only_head {
        if world.happened(mac, Event::TookInstaller).is_none() {
            return Found::NotReady;
        }
        world.saw(mac, &Sign::Reaches(Stage::Config));
    }
    if let Some(script) = own {
        if !only_head {
            given(world, mac, "the stick's own install.sh");
        }
        return Found::File(script.clone(), None);
    }
    let token = match only_head {
        // HEAD changes nothing, and its answer only needs the right length.
        true => Some("0".repeat(TOKEN_LENGTH)),
        false => world.happened(mac, Event::TookReportingScript).map(|record| record.token),
    };
    let Some(token) = token else {
        return Found::NotReady;
    };
    let machine = inventory.machine_or_stranger(mac);
    let image = inventory.image_for(&machine, mac);
    let Some(work) = image.and_then(Work::of) else {
        return refusal("there is no image for it on the stick");
    };
    let config = image.and_then(|image| inventory.config_for(image, &machine, mac));
    let name = world.name(mac);
    let job = Job {
        machine: &name,
        image: &installation.image,
        work,
        // Without one it stops, and names the kind that its system always took.
        config: config.unwrap_or(ConfigKind::CloudConfig),
        disk: &machine.disk,
        token: &token,
    };
    let script = install_script::install(&job, world.endpoint());
    if !only_head {
        given(world, mac, "install.sh");
    }
    Found::Bytes("text/x-shellscript", script.into_bytes())
}

/// What the machine's installer has got.
fn given(world: &World, mac: Mac, what: &str) {
    world.happened_to(mac, Source::Config, Weight::Info, &format!("was given {what}"));
}

fn refusal(reason: &str) -> Found {
    Found::Bytes("text/x-shellscript", install_script::refusal(reason).into_bytes())
}

/// 404 only when the sticks are read that it was looked up on: a client takes it as final.
pub fn missing(world: &World, shelf: &Shelf, name: &str) -> Found {
    match world.media_of(shelf) {
        Media::Ready => Found::Missing(name.to_owned()),
        Media::Starting | Media::None | Media::Refused => Found::NotReady,
    }
}
