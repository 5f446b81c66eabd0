//! An image, made ready for one machine: which of its files for this processor, firmware and
//! loader, and with which arguments. Pure.

use super::arch::Platform;
use super::args::Source;
use super::plan::{Asker, Installation, Situation};
use super::rewrite;
use crate::inventory::configs::ConfigKind;
use crate::inventory::cpu::{Cpu, Firmware};
use crate::inventory::pattern::Pattern;
use crate::inventory::profile::read::is_argument;
use crate::inventory::profile::{Layout, Purpose, Reports};
use crate::inventory::{Image, Machine, Start};

/// What the asking machine starts; else why it cannot.
pub fn installation(
    image: &Image,
    machine: &Machine,
    asker: Asker,
    situation: &Situation,
) -> Result<Installation, &'static str> {
    if !image.profile.written {
        let (source, layout) = source(image, machine, asker, situation)?;
        return starting(&source, layout);
    }
    let (start, _) = start(image, asker)?;
    let writer = writer(start.cpu, asker, situation).ok_or(NO_WRITER)?;
    let (source, layout) = source(writer, machine, asker, situation)?;
    let installation = starting(&Source { writes: true, ..source }, layout)?;
    Ok(Installation { image: image.name(), title: image.profile.title.clone(), ..installation })
}

fn starting(source: &Source, layout: &Layout) -> Result<Installation, &'static str> {
    let (image, machine) = (source.image, source.machine);
    let profile = &image.profile;
    let needs_config = !profile.configs.is_empty() && !profile.works_without_config;
    if let (None, true, Some(kind)) = (source.config, needs_config, profile.configs.first()) {
        // Nobody's disk is wiped with settings that we made up.
        return Err(no_config(*kind));
    }
    // What writes another image needs none of its own.
    let is_whole = source.start.missing.is_empty() || source.writes;
    if !is_whole && !source.has_bare_names(layout) {
        return Err("its image lacks files; the stick's problems name them");
    }
    if machine.disk.device().is_none() && source.mentions(&profile.args, "{disk}") {
        return Err("its system takes no rule for a disk; write disk = \"/dev/…\" for it");
    }
    let mut args = source.words(&profile.args);
    let extra = machine.args.split(' ').filter(|arg| !arg.is_empty());
    // A lone `;` ends an iPXE command, and a `#` the line.
    if extra.clone().any(|arg| !is_argument(arg)) {
        return Err("its args in machines.toml cannot stand in a boot script");
    }
    args.extend(extra.map(str::to_owned));
    let initrds = if source.has_bare_names(layout) {
        // They may lie in the stick's tftp/ folder, as on the old box.
        layout.initrds.iter().map(Pattern::to_string).collect()
    } else {
        source.start.initrds.iter().map(|path| source.name(path)).collect()
    };
    // Without its configuration it waits for a person, and wipes nothing.
    let waits = source.config.is_none()
        && profile.works_without_config
        && !profile.configs.is_empty()
        && profile.reports == Reports::Config;
    Ok(Installation {
        image: image.name(),
        title: image.title.clone(),
        purpose: if waits { Purpose::Live } else { profile.purpose },
        program: layout.program,
        kernel: source.name(&source.start.kernel),
        initrds,
        args: args.join(" "),
    })
}

/// What runs in memory to write this image, where the image does not run itself.
pub fn writer_of<'a>(image: &Image, asker: Asker, situation: &Situation<'a>) -> Option<&'a Image> {
    let (start, _) = start(image, asker).ok().filter(|_| image.profile.written)?;
    writer(start.cpu, asker, situation)
}

fn writer<'a>(cpu: Cpu, asker: Asker, situation: &Situation<'a>) -> Option<&'a Image> {
    let inventory = situation.inventory;
    let fits = |writer: &&Image| {
        start(writer, asker).is_ok_and(|(start, _)| start.cpu == cpu && writer.boots(start))
    };
    inventory.writers().find(fits)
}

const NO_WRITER: &str = "no system on the stick can write its image; put Flatcar or CoreOS there";

/// The file that this machine gets with other lines in it, if its image has one that is
/// called so.
pub fn rewritten_file(
    name: &str,
    image: &Image,
    machine: &Machine,
    asker: Asker,
    situation: &Situation,
) -> Option<String> {
    let (source, _) = source(image, machine, asker, situation).ok()?;
    let (path, _) = source.start.rewrite.as_ref()?;
    let is_it = path.rsplit('/').next().is_some_and(|own| own.eq_ignore_ascii_case(name));
    is_it.then(|| rewrite::rewritten(&source))?
}

fn source<'a>(
    image: &'a Image,
    machine: &'a Machine,
    asker: Asker,
    situation: &Situation<'a>,
) -> Result<(Source<'a>, &'a Layout), &'static str> {
    let (start, layout) = start(image, asker)?;
    let firmware = firmware(asker.platform);
    let source = Source {
        inventory: situation.inventory,
        image,
        start,
        machine,
        mac: asker.mac,
        firmware,
        config: situation.inventory.config_for(image, machine, asker.mac),
        endpoint: situation.endpoint,
        writes: false,
    };
    Ok((source, layout))
}

/// The files for the machine's processor, firmware and loader.
fn start(image: &Image, asker: Asker) -> Result<(&Start, &Layout), &'static str> {
    let layouts = &image.profile.layout;
    let all = image.starts.iter().filter_map(|start| Some((start, layouts.get(start.layout)?)));
    let mut fitting: Vec<(&Start, &Layout)> = all.collect();
    let cpus = cpus(asker.platform);
    fitting.retain(|(start, _)| cpus.contains(&start.cpu));
    if fitting.is_empty() {
        return Err(match image.starts.first().map(|start| start.cpu) {
            Some(Cpu::Arm64) => "its image is for 64-bit ARM, and this machine is not",
            Some(Cpu::X86_64) => "its image is for 64-bit x86, and this machine is not",
            Some(Cpu::X86) => "its image is for 32-bit x86, and this machine is not",
            _ => "its image is for another kind of processor",
        });
    }
    let firmware = firmware(asker.platform);
    fitting.retain(|(_, layout)| layout.firmware.is_none_or(|only| only == firmware));
    if fitting.is_empty() {
        return Err(match firmware {
            Firmware::Bios => "its image starts from UEFI only, and this machine has a BIOS",
            Firmware::Uefi => "its image starts from a BIOS only, and this machine has UEFI",
        });
    }
    if let Some(loader) = asker.loader {
        fitting.retain(|(_, layout)| layout.loaders.is_empty() || layout.loaders.contains(&loader));
    }
    // The machine's own word length, and what is whole, first.
    fitting.sort_by_key(|(start, _)| {
        (cpus.iter().position(|cpu| *cpu == start.cpu), !start.missing.is_empty())
    });
    fitting.into_iter().next().ok_or("its image needs iPXE, and this is another loader")
}

/// Processors whose programs it runs, the best first. A BIOS does not say that it is 64 bits
/// wide; what is not is older than anything that is installed here.
fn cpus(platform: Platform) -> &'static [Cpu] {
    match platform {
        Platform::Bios => &[Cpu::X86_64, Cpu::X86],
        Platform::Efi64 => &[Cpu::X86_64],
        Platform::Efi32 => &[Cpu::X86],
        Platform::EfiArm64 => &[Cpu::Arm64],
        Platform::Other => &[],
    }
}

fn firmware(platform: Platform) -> Firmware {
    match platform {
        Platform::Bios => Firmware::Bios,
        _ => Firmware::Uefi,
    }
}

/// What to put on the stick.
fn no_config(kind: ConfigKind) -> &'static str {
    match kind {
        ConfigKind::CloudConfig => {
            "no cloud-config for it; put cloud-configs/<mac>.yml or default.yml on the stick"
        }
        ConfigKind::Ignition => {
            "no Ignition config for it; put ignition/<mac>.ign or ignition/default.ign on the stick"
        }
        ConfigKind::Preseed => {
            "no preseed for it; put preseed/<mac>.cfg or preseed/default.cfg on the stick"
        }
        ConfigKind::Kickstart => {
            "no kickstart for it; put kickstart/<mac>.ks or kickstart/default.ks on the stick"
        }
        ConfigKind::Autoinstall => {
            "no autoinstall for it; put autoinstall/<mac>/user-data or \
             autoinstall/default/user-data on the stick"
        }
        ConfigKind::AutoYast => {
            "no AutoYaST profile for it; put autoyast/<mac>.xml or autoyast/default.xml on the stick"
        }
        ConfigKind::Agama => {
            "no Agama profile for it; put agama/<mac>.json or agama/default.json on the stick"
        }
        ConfigKind::Talos => {
            "no Talos config for it; put talos/<mac>.yaml or talos/default.yaml on the stick"
        }
        ConfigKind::Answers => {
            "no overlay for it; put alpine/<mac>.apkovl.tar.gz or \
             alpine/default.apkovl.tar.gz on the stick"
        }
        ConfigKind::Script => {
            "no script for it; put scripts/<mac>.sh or scripts/default.sh on the stick"
        }
    }
}

#[cfg(test)]
mod tests;
