//! A cable that loses frames: between a tap device, which stays on the bridge, and QEMU. It
//! stands in for the kernel's netem, which is a module that not every kernel has.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustix::ioctl;

/// Whether the next frame is lost; for each direction (1: to the computer, 2: from it) its
/// own sequence.
pub type Losses = fn(direction: u64) -> Box<dyn FnMut() -> bool + Send>;

/// Two threads, which end with the test's namespaces.
pub struct BadCable {
    ours: PathBuf,
    theirs: PathBuf,
    lost: Arc<AtomicUsize>,
}

/// A virtio header is not asked for, so frames come one by one and with their checksums.
const LARGEST_FRAME: usize = 2048;

impl BadCable {
    /// Plugs it into a tap device that nobody has opened.
    pub fn to(tap: &str, losses: Losses) -> BadCable {
        let [ours, theirs] =
            ["ours", "theirs"].map(|end| PathBuf::from(format!("/run/{tap}.{end}")));
        let socket = Arc::new(UnixDatagram::bind(&ours).unwrap());
        let device = Arc::new(open(tap));
        let lost = Arc::new(AtomicUsize::new(0));
        let keeps = |direction| {
            let (mut is_lost, lost) = (losses(direction), Arc::clone(&lost));
            move || {
                let one = is_lost();
                lost.fetch_add(usize::from(one), Ordering::Relaxed);
                !one
            }
        };
        let (to, from) = (Arc::clone(&socket), Arc::clone(&device));
        let (address, mut arrives) = (theirs.clone(), keeps(1));
        thread::spawn(move || {
            let mut frame = [0; LARGEST_FRAME];
            while let Ok(length) = (&*from).read(&mut frame) {
                if arrives() {
                    // A computer that is off hears nothing.
                    let _ = to.send_to(&frame[..length], &address);
                }
            }
        });
        let mut arrives = keeps(2);
        thread::spawn(move || {
            let mut frame = [0; LARGEST_FRAME];
            while let Ok(length) = socket.recv(&mut frame) {
                if arrives() {
                    let _ = (&*device).write(&frame[..length]);
                }
            }
        });
        BadCable { ours, theirs, lost }
    }

    /// Frames that it has lost so far.
    pub fn lost(&self) -> usize {
        self.lost.load(Ordering::Relaxed)
    }

    /// QEMU's end of it.
    pub fn netdev(&self) -> String {
        format!(
            "dgram,local.type=unix,local.path={},remote.type=unix,remote.path={}",
            self.theirs.display(),
            self.ours.display()
        )
    }
}

/// Opens a tap device: whole frames without a header.
fn open(tap: &str) -> File {
    const TUNSETIFF: ioctl::Opcode = ioctl::opcode::write::<libc::c_int>(b'T', 202);
    let device = File::options().read(true).write(true).open("/dev/net/tun").unwrap();
    // SAFETY: all of its fields may be zero.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(tap.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as i16;
    // SAFETY: the kernel reads a whole ifreq for this code, whatever size the code names,
    // and writes the name of the device into it.
    unsafe { ioctl::ioctl(&device, ioctl::Updater::<TUNSETIFF, _>::new(&mut request)) }.unwrap();
    device
}
