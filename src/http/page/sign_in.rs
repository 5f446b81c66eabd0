//! Where the admin says his password.

use super::frame::{Frame, Visitor, frame};
use super::words::Safe;

/// Why nobody was let in.
pub struct Refused(pub String);

/// The form; `welcome` shows that it is ours.
pub fn sign_in(visitor: &Visitor, welcome: &str, refused: Option<&Refused>) -> String {
    let why = refused.map_or_else(String::new, |Refused(why)| {
        format!("<div class=\"note\" role=alert>{}</div>", Safe(why))
    });
    let main = match visitor.possible {
        true => format!(
            "<div class=\"card narrow\"><h1>Sign in</h1>\
             <p class=soft>Everybody on this network may look. Arming a machine, which wipes its \
             disk, needs the admin’s password.</p>{why}\
             <form method=post action=/login data-whole=1>\
             <input type=hidden name=token value={welcome}>\
             <label for=password>Password</label><input id=password name=password \
             type=password autocomplete=current-password required autofocus>\
             <div class=bar><button class=main>Sign in</button><a href=/>Back</a></div></form></div>"
        ),
        false => "<div class=\"card narrow\"><h1>Nobody can sign in</h1>\
             <p>No password is set, so changes come from the button, or from \
             <code>pxeberry</code> on the box itself.</p>\
             <p class=soft>To set one, run <code>pxeberry hash-password</code> and put what it \
             prints under <code>[admin]</code> in <code>pxeberry.toml</code> on the card.</p>\
             <p><a href=/>Back</a></div>"
            .to_owned(),
    };
    frame(Frame { title: "Sign in", main, revision: None, busy: false }, visitor)
}
