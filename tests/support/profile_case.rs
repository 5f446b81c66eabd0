//! One golden for a way to lay a system on a stick: its files under their publisher's names, and
//! what machines get to boot with them, headed by what the system's own documentation asks
//! for, in our words.

#[path = "golden.rs"]
mod golden;
#[path = "tree.rs"]
mod tree;

pub use golden::is_golden;
use tree::Client;
pub use tree::Stick;

/// `name` is the golden's; `machine` what machines.toml says of the machine; `stick` its
/// files, with a text where it matters.
pub fn case(name: &str, rule: &str, image: &str, files: &[(&str, &str)]) {
    let machines = format!(
        "[[machine]]\nname = \"node-1\"\nmac = \"52:54:00:00:00:01\"\nimage = \"{image}\"\n\
         disk = \"/dev/vda\"\n[[machine]]\nmac = \"52:54:00:00:00:02\"\nimage = \"{image}\"\n"
    );
    let stick = Stick::of(&[&[("machines.toml", machines.as_str())], files].concat());
    let mut text = String::new();
    for line in rule.lines() {
        text.push_str(&format!("# {}\n", line.trim()));
    }
    text.push_str("\nfiles\n");
    for (path, _) in files {
        text.push_str(&format!("  {path}\n"));
    }
    let found = stick.found();
    for image in &found.images {
        text.push_str(&format!("\nimage {} ({})\n", image.name(), image.title));
    }
    for problem in &found.problems {
        text.push_str(&format!("\nproblem {problem}\n"));
    }
    for client in Client::ALL {
        text.push_str(&format!("\n{}\n{}", client.title(), stick.boots(client, 1)));
    }
    text.push_str(&format!("\nwithout a configuration\n{}", stick.boots(Client::BiosIpxe, 2)));
    is_golden(&format!("profiles/{name}.txt"), &text);
}
