//! A tap device: a network interface whose frames a program reads and writes.

use std::fs::File;
use std::io;

use rustix::ioctl;

/// Opens a tap device, which it makes if there is none of this name. Frames are whole, without
/// a header, and with their checksums.
pub fn open(name: &str) -> io::Result<File> {
    const TUNSETIFF: ioctl::Opcode = ioctl::opcode::write::<libc::c_int>(b'T', 202);
    let device = File::options().read(true).write(true).open("/dev/net/tun")?;
    // SAFETY: all of its fields may be zero.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    // Both fit: they are 2 and 0x1000.
    let flags = libc::c_short::try_from(libc::IFF_TAP | libc::IFF_NO_PI);
    request.ifr_ifru.ifru_flags = flags.unwrap_or_default();
    // SAFETY: the kernel reads a whole ifreq for this code, whatever size the code names,
    // and writes the name of the device into it.
    unsafe { ioctl::ioctl(&device, ioctl::Updater::<TUNSETIFF, _>::new(&mut request)) }?;
    Ok(device)
}
