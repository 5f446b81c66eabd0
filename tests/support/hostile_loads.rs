//! Sticks that are small, and that multiply: a few texts and names, from which a reader
//! without limits makes gigabytes, or works for hours.

use std::fmt::Write;
use std::path::Path;

use super::hostile_media::{Medium, crowd, medium, put};

/// The most that is read of a text.
const MIB: usize = 1024 * 1024;

/// All of them.
pub fn loads() -> Vec<Medium> {
    texts().into_iter().chain(profiles()).chain(images()).chain(machines()).collect()
}

/// This many times what `one` makes.
fn many(count: usize, one: impl Fn(usize) -> String) -> String {
    (0..count).map(one).collect()
}

fn mac(at: usize) -> String {
    format!("52540{at:07x}")
}

fn machine(at: usize) -> String {
    format!("[[machine]]\nmac=\"{}\"\n", mac(at))
}

fn texts() -> Vec<Medium> {
    vec![
        medium("XML that holds half a megabyte a thousand times", "entities", |stick| {
            let (large, uses) = ("x".repeat(500_000), "&a;".repeat(1000));
            let text =
                format!("<!DOCTYPE profile [<!ENTITY a \"{large}\">]><profile>{uses}</profile>");
            put(stick, "autoyast/default.xml", text);
        }),
        medium("a group's name of half a megabyte", "at most 64 letters", |stick| {
            let groups = many(900, |at| format!("[[group]]\nname = \"g{at:050}\"\n"));
            let machine = format!("[[machine]]\nmac = \"{}\"\ngroup = \"", mac(1));
            put(stick, "machines.toml", format!("{groups}{machine}{}\"\n", "b".repeat(500_000)));
        }),
        medium("a group that is not there, and 900 that are", "and 890 more", |stick| {
            let groups = many(900, |at| format!("[[group]]\nname=\"g{at:050}\"\n"));
            let machine = format!("[[machine]]\nmac = \"{}\"\ngroup = \"{:h>64}\"\n", mac(1), "");
            put(stick, "machines.toml", groups + &machine);
        }),
        medium("25,000 groups", "too large", |stick| {
            let groups = many(25_000, |at| format!("[[group]]\nname=\"g{at:015}\"\n"));
            put(stick, "machines.toml", groups);
        }),
        medium("1,100 groups", "more than 1000 groups", |stick| {
            let groups = many(1100, |at| format!("[[group]]\nname=\"g{at}\"\n"));
            put(stick, "machines.toml", groups);
        }),
        medium("numbers instead of machines", "too large", |stick| {
            put(stick, "machines.toml", format!("x = [{}]\n", "1,".repeat(500_000)));
        }),
        medium("lists instead of machines", "too large", |stick| {
            put(stick, "machines.toml", format!("x = [{}]\n", "[],".repeat(300_000)));
        }),
        medium("keys instead of machines", "too large", |stick| {
            put(stick, "machines.toml", many(110_000, |at| format!("a{at}=1\n")));
        }),
    ]
}

const PROFILE: &str = "name = \"own\"\ntitle = \"Own\"\n";
const LAYOUT: &str = "[[layout]]\nkernel = \"linux\"\n";

fn profiles() -> Vec<Medium> {
    let names = |bytes: usize| format!("needs = [{}\"a\"]\n", "\"a\",".repeat(bytes / 4));
    vec![
        medium("a profile of 1,200 systems", "at most 32", |stick| {
            let also = many(1200, |at| format!("[[also]]\nname = \"a{at}\"\ntitle = \"A\"\n"));
            put(stick, "profiles/x.toml", format!("{PROFILE}{also}{LAYOUT}"));
        }),
        medium("64 profiles of a megabyte", "too large for a text file", move |stick| {
            let text = format!("{PROFILE}{LAYOUT}{}", names(MIB - 100));
            (0..64).for_each(|at| put(stick, &format!("profiles/{at}.toml"), &text));
        }),
        medium("64 profiles of 16,000 names for 33 systems", "in all profiles", move |stick| {
            let also = many(32, |at| format!("[[also]]\nname = \"a{at}\"\ntitle = \"A\"\n"));
            let text = format!("{PROFILE}{also}{LAYOUT}{}", names(60 * 1024));
            (0..64).for_each(|at| put(stick, &format!("profiles/{at}.toml"), &text));
        }),
        medium("3,000 profiles", "more than 64 profiles", |stick| {
            let text = format!("{PROFILE}{LAYOUT}");
            (0..3000).for_each(|at| put(stick, &format!("profiles/{at}.toml"), &text));
        }),
        medium("a profile that knows 20,000 files in 500 ways", "could be an image", |stick| {
            let text = format!("{PROFILE}{}", "[[layout]]\nkernel = \"*\"\n".repeat(500));
            put(stick, "profiles/x.toml", text);
            crowd("images/own/1.0", 20_000, |at| format!("f{at}"), "")(stick);
        }),
        medium("names that take long to compare", "could be an image", |stick| {
            let text = format!("{PROFILE}{}", "[[layout]]\nkernel = \"x*a*\"\n".repeat(500));
            put(stick, "profiles/x.toml", text);
            crowd("images/own/1.0", 5000, |at| format!("{:a>230}{at}", ""), "")(stick);
        }),
        medium("texts that take long to read", "could be an image", |stick| {
            let lines = "\"x*a*\",".repeat(2000);
            let facts = format!("[[facts]]\nfile = \"info\"\nlines = [{lines}]\n");
            put(stick, "profiles/x.toml", format!("{PROFILE}{facts}{LAYOUT}"));
            let text = format!("{}\n", "a".repeat(500)).repeat(100);
            for at in 0..100 {
                put(stick, &format!("images/own/{at}/linux"), "");
                put(stick, &format!("images/own/{at}/info"), &text);
            }
        }),
    ]
}

fn images() -> Vec<Medium> {
    let live = |at| format!("fedora-coreos-{at}.0-live-kernel-x86_64");
    let folders = |stick: &Path, count: usize, path: fn(usize) -> String| {
        (0..count).for_each(|at| put(stick, &path(at), ""));
    };
    vec![
        medium(
            "1,000 kernels in one folder",
            "folder of its own",
            crowd("images/x", 1000, live, ""),
        ),
        medium(
            "20,000 kernels in one folder",
            "folder of its own",
            crowd("images/x", 20_000, live, ""),
        ),
        medium("20,000 versions of any kernel", "1,000 images", move |stick| {
            folders(stick, 20_000, |at| format!("images/x/{at}/linux"));
        }),
        medium("20,000 systems of any kernel, by a large profile", "1,000 images", move |stick| {
            let general = format!("{PROFILE}general = true\n{LAYOUT}");
            let versions = many(3000, |at| format!("v{at} = \"{at}\"\n"));
            put(stick, "profiles/x.toml", format!("{general}[versions]\n{versions}"));
            folders(stick, 20_000, |at| format!("images/x{at}/1/linux"));
        }),
        medium("20,000 starts of one image", "can be started", move |stick| {
            put(stick, "profiles/x.toml", format!("{PROFILE}[[layout]]\nkernel = \"f*\"\n"));
            crowd("images/own/1.0", 20_000, |at| format!("f{at}"), "")(stick);
        }),
        medium("20,000 kernels of no version", "more problems", move |stick| {
            folders(stick, 20_000, |at| {
                format!("images/coreos/x{at}/coreos_production_pxe.vmlinuz")
            });
        }),
    ]
}

fn machines() -> Vec<Medium> {
    let labels = || {
        let value = "x".repeat(1024);
        format!("[defaults]\n{}", many(64, |at| format!("labels.a{at} = \"{value}\"\n")))
    };
    vec![
        medium("64 KiB of labels for 4,000 machines", "", move |stick| {
            put(stick, "machines.toml", labels() + &many(4000, machine));
        }),
        medium("64 KiB of labels, and one more for each of 4,000", "", move |stick| {
            let one = |at| format!("{}labels.a0 = \"\"\n", machine(at));
            put(stick, "machines.toml", labels() + &many(4000, one));
        }),
        medium("an image's name of half a megabyte", "write it like", move |stick| {
            let image = format!("[defaults]\nimage = \"{}\"\n", "x".repeat(500_000));
            put(stick, "machines.toml", image + &many(4000, machine));
        }),
        medium("5,100 machines", "more than 5000 machines", |stick| {
            put(stick, "machines.toml", many(5100, machine));
        }),
        medium("45,000 machines", "too large", |stick| {
            let list = many(43_000, |at| format!("{{mac=\"{}\"}},", mac(at)));
            put(stick, "machines.toml", format!("machine=[{list}]\n"));
        }),
        medium("300,000 machines of nothing", "too large", |stick| {
            put(stick, "machines.toml", format!("machine=[{}]\n", "{},".repeat(300_000)));
        }),
        medium("5,000 machines, 900 images, every kind of config", "", move |stick| {
            put(stick, "machines.toml", many(5000, machine));
            for (name, text) in DEFAULTS {
                put(stick, name, text);
            }
            let image = |at: usize| put(stick, &format!("images/x/{at}/linux"), "");
            (0..900).for_each(image);
        }),
        medium("5,000 machines of which each is told much", "not tried out", move |stick| {
            put(stick, "machines.toml", many(5000, machine));
            let mut text = "machine: {}\n# {{ name }}\n".to_owned();
            (0..15_000).for_each(|at| writeln!(text, "a{at}: [b]").unwrap());
            put(stick, "talos/default.yaml.j2", text);
        }),
        medium("5,000 machines that their numbers tell", "", |stick| {
            let one = |at| format!("[[machine]]\nmatch={{serial=\"ab{at}\"}}\n");
            put(stick, "machines.toml", many(5000, one));
        }),
        medium("5,000 patterns", "match a pattern", |stick| {
            let one = |at| format!("[[machine]]\nmatch={{serial=\"ab{at}*\"}}\n");
            put(stick, "machines.toml", many(5000, one));
        }),
        medium("5,000 names of machines, and as many of configs", "", move |stick| {
            let one = |at| {
                format!(
                    "{}name=\"n{at}\"\nconfig=\"c{at}\"\n",
                    format_args!("[[machine]]\nmac=\"{}\"\n", mac(at))
                )
            };
            put(stick, "machines.toml", many(5000, one));
            crowd("kickstart", 5000, |at| format!("c{at}.ks"), "x")(stick);
        }),
    ]
}

/// A default config of many kinds.
const DEFAULTS: [(&str, &str); 4] = [
    ("kickstart/default.ks", "text\n"),
    ("preseed/default.cfg", "d-i\n"),
    ("cloud-configs/default.yml", "#cloud-config\na: b\n"),
    ("ignition/default.ign", "{\"ignition\": {\"version\": \"3.4.0\"}}"),
];
