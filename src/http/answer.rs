//! From a place to an answer: looks up what stands there for the machine that asks.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::HeaderValue;
use hyper::{Method, Request, Response, StatusCode, header};

use super::body::{Body, WhenSent};
use super::page;
use super::response::{Asked, Downloads, Found, respond, text};
use super::route::{Route, route};
use crate::boot::install_script::{self, Job};
use crate::boot::plan::{Media, Plan};
use crate::fleet::life::Event;
use crate::inventory::{Image, Machine, MediaFile};
use crate::net::Mac;
use crate::world::content::{Content, content};
use crate::world::{Shelf, TOKEN_LENGTH, World};

/// A request holds this long for a stick that was pulled, or is still being read: most
/// installers take a "not now" as final. UEFI waits 5 s for the first byte.
const PATIENCE: Duration = Duration::from_secs(4);

/// Answers one request from the machine at `asker`.
pub async fn answer<B>(
    world: &Arc<World>,
    downloads: &Downloads,
    request: &Request<B>,
    asker: Ipv4Addr,
) -> Response<Body> {
    let place = Arc::new(route(request.uri().to_string().as_str()));
    let reading = matches!(*request.method(), Method::GET | Method::HEAD);
    let reporting = *request.method() == Method::POST && matches!(*place, Route::Event { .. });
    if !reading && !reporting {
        let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD work here\n");
        answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    let only_head = *request.method() == Method::HEAD;
    let mut shelf = world.watch_shelf();
    let mut found = look(world, &place, asker, only_head).await;
    if matches!(found, Found::NotReady) {
        // Woken by each change of the sticks until the patience is at its end.
        let _ = tokio::time::timeout(PATIENCE, async {
            while matches!(found, Found::NotReady) && shelf.changed().await.is_ok() {
                found = look(world, &place, asker, only_head).await;
            }
        })
        .await;
    }
    let headers = request.headers();
    respond(found, &Asked { headers, asker, only_head, world, downloads }).await
}

/// What may be written down first is found on a thread of its own: a card can take a tenth
/// of a second, and nobody else waits for that.
async fn look(world: &Arc<World>, place: &Arc<Route>, asker: Ipv4Addr, only_head: bool) -> Found {
    if only_head || !place.may_be_written_down() {
        return find(world, place, asker, only_head);
    }
    let (world, place) = (Arc::clone(world), Arc::clone(place));
    let found = tokio::task::spawn_blocking(move || find(&world, &place, asker, only_head)).await;
    found.unwrap_or(Found::NotReady)
}

fn find(world: &Arc<World>, place: &Route, asker: Ipv4Addr, only_head: bool) -> Found {
    let shelf = world.shelf();
    let inventory = &shelf.inventory;
    let newest_file = |name: &str| inventory.images.iter().find_map(|image| image.file(name));
    match place {
        Route::Page => Found::Bytes("text/html; charset=utf-8", page::page(world).into_bytes()),
        Route::Boot(name) => match content(world, name, asker, !only_head) {
            Content::Bytes(bytes) => Found::Bytes("application/octet-stream", bytes),
            Content::Media(file) => Found::File(file, None),
            Content::NotReady => Found::NotReady,
            Content::Missing => Found::Missing(name.path()),
        },
        Route::InstallScript => install_script(world, asker, only_head),
        Route::CloudConfig(mac) => cloud_config(world, *mac, asker),
        Route::OldImageFile(version, name) => {
            let images = inventory.images.iter().filter(|image| image.version == *version);
            let found = images.into_iter().find_map(|image| Some((image, image.file(name)?)));
            image_file(world, &shelf, found, name, asker, only_head)
        }
        Route::ImageFile(system, version, name) => {
            let fits = |image: &&Image| image.profile.name == *system && image.version == *version;
            let image = inventory.images.iter().find(fits);
            let found = image.and_then(|image| Some((image, image.file(name)?)));
            image_file(world, &shelf, found, name, asker, only_head)
        }
        Route::CurrentImageFile(name) => match (newest_file(name), name.as_str()) {
            (Some(file), _) => Found::File(file.clone(), None),
            (None, "version.txt") => version_file(world),
            (None, _) => missing(world, &shelf, name),
        },
        Route::Event { token, event } => report(world, token, event),
        Route::Nowhere => Found::Missing("this".to_owned()),
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
    let Some((image, file)) = found else {
        return missing(world, shelf, name);
    };
    let machine = world.machine_at(asker).filter(|_| image.profile.disk_image == name);
    let when_sent = machine.filter(|_| !only_head).map(|mac| {
        let world = Arc::clone(world);
        Box::new(move || {
            world.happened(mac, Event::ImageDelivered);
        }) as WhenSent
    });
    Found::File(file.clone(), when_sent)
}

/// Flatcar's and CoreOS's installers ask for it when they have no version of their own.
fn version_file(world: &World) -> Found {
    let shelf = world.shelf();
    match shelf.inventory.images.first() {
        Some(image) => {
            let text = format!("{}={}\n", image.profile.version_key, image.version);
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
    let client = world.machine_at(asker);
    let plan = client.map(|mac| (mac, world.plan(mac)));
    let (Some((mac, Plan::Install(installation))), own) = (plan, &inventory.install_script) else {
        return match &inventory.install_script {
            Some(script) => Found::File(script.clone(), None),
            None => refusal("it is not armed; `pxeberry arm` on the server arms it"),
        };
    };
    if !only_head && world.happened(mac, Event::TookInstaller).is_none() {
        return Found::NotReady;
    }
    if let Some(script) = own {
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
    let unnamed = Machine::known_by(mac);
    let machine = inventory.machine(mac).unwrap_or(&unnamed);
    let Some(image) = inventory.image_for(machine) else {
        return refusal("there is no image for it on the stick");
    };
    let name = world.name(mac);
    let job = Job {
        machine: &name,
        image: &installation.image,
        installer: &image.profile.installer,
        disk: &machine.disk,
        token: &token,
    };
    let script = install_script::install(&job, world.endpoint());
    Found::Bytes("text/x-shellscript", script.into_bytes())
}

fn refusal(reason: &str) -> Found {
    Found::Bytes("text/x-shellscript", install_script::refusal(reason).into_bytes())
}

/// It may hold passwords and keys: only the machine itself gets it.
fn cloud_config(world: &World, mac: Mac, asker: Ipv4Addr) -> Found {
    let shelf = world.shelf();
    let inventory = &shelf.inventory;
    let asking = world.machine_at(asker);
    let cards = inventory.machine(mac).map_or_else(|| vec![mac], |machine| machine.macs.clone());
    if !asking.is_some_and(|asking| cards.contains(&asking)) && !asker.is_loopback() {
        let who = asking.map_or_else(|| asker.to_string(), |mac| world.name(mac));
        log::warn!(
            "http: {who} asked for the configuration of {} and did not get it",
            world.name(mac)
        );
        return Found::Forbidden(format!("only {mac} itself gets its configuration"));
    }
    match inventory.cloud_config(mac) {
        Some(file) => Found::File(file.clone(), None),
        None => missing(world, &shelf, &format!("cloud-configs/{}.yml", mac.dashed())),
    }
}

/// 404 only when the sticks are read that it was looked up on: a client takes it as final.
fn missing(world: &World, shelf: &Shelf, name: &str) -> Found {
    match world.media_of(shelf) {
        Media::Ready => Found::Missing(name.to_owned()),
        Media::Starting | Media::None | Media::Refused => Found::NotReady,
    }
}

/// An installer's report. The token is the proof: it stands only in the script that this
/// machine got. Reports may come twice.
fn report(world: &World, token: &str, event: &str) -> Found {
    let event = match event {
        "installed" => Event::ReportedInstalled,
        "failed" => Event::ReportedFailed,
        _ => return Found::Forbidden("event is installed or failed".to_owned()),
    };
    let Some(mac) = world.machine_with_token(token) else {
        return Found::Forbidden("this token belongs to no installation".to_owned());
    };
    if event == Event::ReportedFailed {
        log::warn!("{}: reports that installing failed; look at its screen", world.name(mac));
    }
    match world.happened(mac, event) {
        // Two bytes, because small clients take an empty answer for a failure.
        Some(_) => Found::Bytes("text/plain", b"ok".to_vec()),
        None => Found::NotReady,
    }
}
