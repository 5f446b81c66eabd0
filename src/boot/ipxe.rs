//! The iPXE script, written for the machine that asks.
//!
//! iPXE expands `${…}` anywhere; nothing that holds one gets here (`inventory::machine`).

use super::Endpoint;
use super::plan::{Installation, Plan};
use crate::fleet::trouble::MOST_MODULES;
use crate::net::Mac;

/// The script for the machine with `mac`.
pub fn script(mac: Mac, plan: &Plan, endpoint: Endpoint) -> String {
    match plan {
        Plan::Install(install) => installer(mac, install, endpoint),
        Plan::LocalBoot(reason) => {
            format!("#!ipxe\necho pxeberry: booting your own disk ({reason})\n{LOCAL}")
        }
        Plan::Wait => format!(
            "#!ipxe\n\
             echo pxeberry: starting, one moment\n\
             :again\n\
             sleep {WAIT_SECONDS}\n\
             chain --replace --autofree {} || goto again\n",
            own_script(mac, endpoint)
        ),
        Plan::Menu => menu(endpoint),
    }
}

/// What iPXE for UEFI runs before it would ask for an address by itself: DHCP for IPv4 alone,
/// on the card that it came from. By itself it waits four seconds longer for a router that
/// speaks IPv6, and gives up where a switch port with spanning tree lets nothing through for
/// half a minute. Here it tries for a minute or two, then the firmware goes on to the disk.
pub fn start(mac: Mac, endpoint: Endpoint) -> String {
    let (script, most) = (own_script(mac, endpoint), LONGEST_PAUSE);
    format!(
        "#!ipxe\n\
         set pause:int32 1\n\
         set card:int32 0\n\
         :next\n\
         isset ${{net${{card}}/mac}} || goto unknown\n\
         iseq ${{net${{card}}/mac}} {mac} && goto found ||\n\
         inc card && goto next\n\
         :found\n\
         ifconf --configurator dhcp net${{card}} || goto failed\n\
         chain --replace --autofree {script} || goto failed\n\
         :failed\n\
         iseq ${{pause}} {most} && exit 1 ||\n\
         echo pxeberry: the network does not answer, trying again in ${{pause}} s\n\
         sleep ${{pause}}\n\
         inc pause ${{pause}}\n\
         goto found\n\
         :unknown\n\
         autoboot\n"
    )
}

fn own_script(mac: Mac, endpoint: Endpoint) -> String {
    format!("{}/boot/{}.ipxe", endpoint.base(), mac.dashed())
}

/// For a machine that the stick may name by its serial number, which only iPXE can tell: it
/// asks once more, and says who it is. A number that is not there is an empty text.
pub fn introduction(mac: Mac, endpoint: Endpoint) -> String {
    format!(
        "#!ipxe\nchain --replace {}/boot/{}.ipxe?uuid=${{uuid}}&serial=${{serial:uristring}}\n",
        endpoint.base(),
        mac.dashed()
    )
}

/// How long a machine waits before it asks again.
const WAIT_SECONDS: u8 = 3;

/// Pauses double from a second up to this. All together they outlast a switch port that
/// learns for thirty seconds, more so as each try takes its own time.
const LONGEST_PAUSE: u8 = 16;

/// On UEFI the first disk by iPXE's own block driver (2024 or newer), else the next boot
/// entry: only `exit 1` leads there, `exit` stops in the setup screen. On BIOS the same
/// words work: drive 0x80, else INT 18h.
const LOCAL: &str = "sanboot --no-describe --drive 0x80 || exit 1\n";

/// Nothing starts by itself. The memory test is for PCs; Secure Boot would refuse it.
fn menu(endpoint: Endpoint) -> String {
    let base = endpoint.base();
    format!(
        "#!ipxe\n\
         :menu\n\
         menu pxeberry: the stick does not name this machine\n\
         item local Boot its own disk\n\
         iseq ${{buildarch}} arm64 || item memtest Test its memory (memtest86+)\n\
         item shell iPXE shell\n\
         choose chosen || goto local\n\
         goto ${{chosen}}\n\
         :memtest\n\
         imgfree\n\
         iseq ${{platform}} efi && goto memtest_efi ||\n\
         kernel {base}/boot/memtest86plus.bin && boot || goto menu\n\
         :memtest_efi\n\
         kernel {base}/boot/memtest86plus.efi && boot || goto menu\n\
         :shell\n\
         shell\n\
         goto menu\n\
         :local\n\
         {LOCAL}"
    )
}

/// A step that fails is tried again for good: an installer that gives up leaves a machine at
/// a prompt that nobody sees. Each failure is reported, from memory that was freed before.
fn installer(mac: Mac, install: &Installation, endpoint: Endpoint) -> String {
    let base = endpoint.base();
    let mut script = format!(
        "#!ipxe\n\
         echo pxeberry: {verb} {title} ({image})\n\
         {hello}\
         set pause:int32 1\n\
         :again\n\
         imgfree\n\
         set stage kernel\n\
         kernel {base}/boot/{kernel}{args} || goto failed\n\
         set stage initrd\n",
        hello = hello(mac, endpoint),
        verb = install.verb(),
        title = install.title,
        image = install.image,
        kernel = install.kernel,
        args = match command_line(mac, install) {
            args if args.is_empty() => args,
            args => format!(" {args}"),
        },
    );
    for initrd in &install.initrds {
        script.push_str(&format!("initrd {base}/boot/{initrd} || goto failed\n"));
    }
    script.push_str("set stage start\nboot || goto failed\n");
    script.push_str(&failed(mac, endpoint));
    script
}

/// Says what the machine is, for its timeline. Whatever comes of it, the script goes on; what
/// was fetched is freed with the next line that frees.
fn hello(mac: Mac, endpoint: Endpoint) -> String {
    format!(
        "imgfetch --name hello --timeout 3000 {base}/v1/hello?mac={mac}&memory={memory}\
         &chip=${{netX/chip:uristring}} ||\n",
        base = endpoint.base(),
        mac = mac.dashed(),
        memory = memory(),
    )
}

/// The sizes of all memory modules, as `fleet::trouble::memory` reads them.
fn memory() -> String {
    let module = |place| format!("${{smbios/{place}.17.12.2:hexraw}}-");
    (0..MOST_MODULES).map(module).collect()
}

/// Says what failed, here and to the appliance, and begins anew. The time-out is for a
/// network that lets nothing through: then nobody hears of it, and the next try comes sooner.
fn failed(mac: Mac, endpoint: Endpoint) -> String {
    format!(
        ":failed\n\
         set error ${{errno}}\n\
         echo pxeberry: ${{stage}} failed, trying again in ${{pause}} s\n\
         imgfree\n\
         imgfetch --name report --timeout 5000 {base}/v1/boot?mac={mac}&stage=${{stage}}\
         &error=${{error}}&memory={memory} ||\n\
         sleep ${{pause}}\n\
         iseq ${{pause}} {LONGEST_PAUSE} || inc pause ${{pause}}\n\
         goto again\n",
        base = endpoint.base(),
        mac = mac.dashed(),
        memory = memory(),
    )
}

/// What the kernel is told. Older UEFI kernels find their initrd only by an argument with its
/// name, which to iPXE is the last part of its URL. A program that is not Linux would take it
/// for one of its own.
pub fn command_line(mac: Mac, install: &Installation) -> String {
    if install.program {
        return install.args.clone();
    }
    let name = |path: &String| path.rsplit('/').next().unwrap_or(path).to_owned();
    let initrds = install.initrds.iter().map(|path| format!("initrd={}", name(path)));
    let card = format!("BOOTIF=01-{}", mac.dashed());
    let args: Vec<String> = initrds.chain([card, install.args.clone()]).collect();
    args.join(" ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::ENDPOINT;
    use super::*;

    fn mac() -> Mac {
        "52:54:00:00:00:01".parse().unwrap()
    }

    fn install() -> Installation {
        Installation {
            image: "coreos/1185.3.0".into(),
            title: "CoreOS Container Linux".into(),
            kernel: "k".into(),
            initrds: vec!["i".into()],
            args: "console=ttyS0".into(),
            ..Installation::default()
        }
    }

    #[test]
    fn every_script_starts_as_ipxe_demands() {
        for plan in [Plan::LocalBoot("x"), Plan::Wait, Plan::Menu] {
            assert!(script(mac(), &plan, ENDPOINT).starts_with("#!ipxe\n"));
        }
    }

    #[test]
    fn an_installation_fetches_over_http_and_names_its_initrd() {
        let plan = Plan::Install(install());
        let text = script(mac(), &plan, ENDPOINT);
        let kernel = "kernel http://10.10.10.1:8080/boot/k initrd=i BOOTIF=01-52-54-00-00-00-01 console=ttyS0 || goto failed\n";
        assert!(text.contains(kernel), "{text}");
        assert!(text.contains("initrd http://10.10.10.1:8080/boot/i || goto failed\n"));
    }

    #[test]
    fn the_way_to_the_disk_never_ends_in_the_setup_screen() {
        let text = script(mac(), &Plan::LocalBoot("it is installed"), ENDPOINT);
        assert!(text.ends_with("sanboot --no-describe --drive 0x80 || exit 1\n"));
    }

    #[test]
    fn no_failure_ends_at_a_prompt_that_nobody_sees() {
        let install = Plan::Install(install());
        for text in [script(mac(), &install, ENDPOINT), script(mac(), &Plan::Wait, ENDPOINT)] {
            let can_fail = ["kernel ", "initrd ", "boot", "chain ", "imgfetch "];
            for line in
                text.lines().filter(|line| can_fail.iter().any(|word| line.starts_with(word)))
            {
                assert!(line.contains("||"), "{line}");
            }
        }
    }

    #[test]
    fn a_failed_step_is_reported_with_its_error_and_the_machines_memory_and_tried_again() {
        let text = script(mac(), &Plan::Install(install()), ENDPOINT);
        let report = "imgfetch --name report --timeout 5000 \
                      http://10.10.10.1:8080/v1/boot?mac=52-54-00-00-00-01&stage=${stage}\
                      &error=${error}&memory=${smbios/0.17.12.2:hexraw}-${smbios/1.17.12.2:hexraw}-";
        assert!(text.contains(report), "{text}");
        assert!(text.ends_with("iseq ${pause} 16 || inc pause ${pause}\ngoto again\n"), "{text}");
    }

    #[test]
    fn an_installation_says_first_what_the_machine_is_and_goes_on_without_an_answer() {
        let text = script(mac(), &Plan::Install(install()), ENDPOINT);
        let hello = text.lines().find(|line| line.contains("/v1/hello?")).unwrap();
        assert!(hello.starts_with("imgfetch --name hello --timeout 3000 http://10.10.10.1:8080/"));
        assert!(hello.ends_with("&chip=${netX/chip:uristring} ||"), "{hello}");
        // Or it would be handed to the kernel as an initial RAM disk.
        let freed = text.find("imgfree\n").unwrap();
        assert!(text.find("hello").unwrap() < freed && freed < text.find("kernel http").unwrap());
    }

    #[test]
    fn ipxe_for_uefi_looks_for_its_card_asks_for_an_address_and_gives_up_in_the_end() {
        let text = start(mac(), ENDPOINT);
        assert!(text.contains("iseq ${net${card}/mac} 52:54:00:00:00:01 && goto found ||\n"));
        let chain = "chain --replace --autofree http://10.10.10.1:8080/boot/52-54-00-00-00-01.ipxe";
        assert!(text.contains(chain), "{text}");
        assert!(text.contains("iseq ${pause} 16 && exit 1 ||\n"), "{text}");
    }
}
