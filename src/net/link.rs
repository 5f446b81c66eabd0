//! Bringing a network interface up and giving it an address, by the classic ioctls.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;

use rustix::ioctl::{self, Opcode, Updater};
use rustix::net::{AddressFamily, SocketFlags, SocketType, netdevice, socket_with};

use super::Subnet;

/// Operations of Linux `sockios.h`.
const SIOCADDRT: Opcode = 0x890b;
const SIOCDELRT: Opcode = 0x890c;
const SIOCGIFFLAGS: Opcode = 0x8913;
const SIOCSIFFLAGS: Opcode = 0x8914;
const SIOCGIFADDR: Opcode = 0x8915;
const SIOCSIFADDR: Opcode = 0x8916;
const SIOCSIFBRDADDR: Opcode = 0x891a;
const SIOCGIFNETMASK: Opcode = 0x891b;
const SIOCSIFNETMASK: Opcode = 0x891c;

/// The kernel's door to its interfaces.
#[derive(Debug)]
pub struct Interfaces(OwnedFd);

impl Interfaces {
    /// Opens the door. Needs the rights of root only for changes.
    pub fn open() -> io::Result<Interfaces> {
        let socket =
            socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        Ok(Interfaces(socket))
    }

    /// The kernel's number of an interface; a replugged adapter of the same name has another.
    pub fn index(&self, name: &str) -> Option<u32> {
        netdevice::name_to_index(&self.0, name).ok()
    }

    /// Switches the interface on.
    pub fn up(&self, name: &str) -> io::Result<()> {
        let mut request = request(name)?;
        self.ioctl::<SIOCGIFFLAGS>(&mut request)?;
        // SAFETY: SIOCGIFFLAGS has filled this member of the union.
        let flags = unsafe { request.ifr_ifru.ifru_flags };
        let up = libc::c_short::try_from(libc::IFF_UP).unwrap_or_default();
        request.ifr_ifru.ifru_flags = flags | up;
        self.ioctl::<SIOCSIFFLAGS>(&mut request)
    }

    /// Gives the interface this address, in place of the one it had.
    pub fn set_address(&self, name: &str, subnet: Subnet) -> io::Result<()> {
        self.ioctl::<SIOCSIFADDR>(&mut with_address(name, subnet.address())?)?;
        self.ioctl::<SIOCSIFNETMASK>(&mut with_address(name, subnet.netmask())?)?;
        self.ioctl::<SIOCSIFBRDADDR>(&mut with_address(name, subnet.broadcast())?)
    }

    /// The interface's address with its network; none if it has none that we could use.
    pub fn address(&self, name: &str) -> Option<Subnet> {
        let mut request = request(name).ok()?;
        self.ioctl::<SIOCGIFADDR>(&mut request).ok()?;
        let address = address_in(&request);
        self.ioctl::<SIOCGIFNETMASK>(&mut request).ok()?;
        let prefix = u32::from(address_in(&request)).leading_ones();
        Subnet::new(address, u8::try_from(prefix).ok()?).ok()
    }

    /// Takes the interface's address away.
    pub fn remove_address(&self, name: &str) -> io::Result<()> {
        self.ioctl::<SIOCSIFADDR>(&mut with_address(name, Ipv4Addr::UNSPECIFIED)?)
    }

    /// Sends what is for other networks through `gateway`, which the interface's own network
    /// must hold, and through no other any more.
    pub fn set_gateway(&self, gateway: Option<Ipv4Addr>) -> io::Result<()> {
        // There may be none; then there is nothing to remove.
        let _ = self.route::<SIOCDELRT>(&mut default_route(None));
        gateway.map_or(Ok(()), |gateway| self.route::<SIOCADDRT>(&mut default_route(Some(gateway))))
    }

    fn route<const OPERATION: Opcode>(&self, route: &mut libc::rtentry) -> io::Result<()> {
        // SAFETY: both operations take an `rtentry` and only read it.
        Ok(unsafe { ioctl::ioctl(&self.0, Updater::<OPERATION, _>::new(route)) }?)
    }

    fn ioctl<const OPERATION: Opcode>(&self, request: &mut libc::ifreq) -> io::Result<()> {
        // SAFETY: all operations used here take an `ifreq`, read and perhaps written.
        let result = unsafe { ioctl::ioctl(&self.0, Updater::<OPERATION, _>::new(request)) };
        Ok(result?)
    }
}

/// The way to everywhere, through a gateway or whichever there is.
fn default_route(gateway: Option<Ipv4Addr>) -> libc::rtentry {
    // SAFETY: `rtentry` is made of integers and a pointer that may be null.
    let mut route: libc::rtentry = unsafe { std::mem::zeroed() };
    route.rt_dst = socket_address(Ipv4Addr::UNSPECIFIED);
    route.rt_genmask = socket_address(Ipv4Addr::UNSPECIFIED);
    route.rt_gateway = socket_address(gateway.unwrap_or(Ipv4Addr::UNSPECIFIED));
    route.rt_flags = libc::RTF_UP;
    if gateway.is_some() {
        route.rt_flags |= libc::RTF_GATEWAY;
    }
    route
}

fn with_address(name: &str, address: Ipv4Addr) -> io::Result<libc::ifreq> {
    let mut request = request(name)?;
    request.ifr_ifru.ifru_addr = socket_address(address);
    Ok(request)
}

/// The address that the kernel has put into a request.
fn address_in(request: &libc::ifreq) -> Ipv4Addr {
    // SAFETY: the operations before this call fill this member of the union.
    let filled = unsafe { request.ifr_ifru.ifru_addr };
    let [_, _, octets @ ..] = filled.sa_data;
    let mut address = [0; 4];
    for (place, octet) in address.iter_mut().zip(octets) {
        [*place] = octet.to_ne_bytes();
    }
    Ipv4Addr::from(address)
}

fn request(name: &str) -> io::Result<libc::ifreq> {
    // SAFETY: `ifreq` is made of integers, for which zero is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays the closing NUL.
    if name.len() >= request.ifr_name.len() {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    for (place, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *place = libc::c_char::from_ne_bytes([byte]);
    }
    Ok(request)
}

/// `struct sockaddr_in` in the clothes of `struct sockaddr`: port (unused), address, zeros.
fn socket_address(address: Ipv4Addr) -> libc::sockaddr {
    let mut data = [0; 14];
    for (place, octet) in data.iter_mut().skip(2).zip(address.octets()) {
        *place = libc::c_char::from_ne_bytes([octet]);
    }
    let family = libc::sa_family_t::try_from(libc::AF_INET).unwrap_or_default();
    libc::sockaddr { sa_family: family, sa_data: data }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_has_a_number_and_others_do_not_exist() {
        let interfaces = Interfaces::open().unwrap();
        assert!(interfaces.index("lo").is_some());
        assert_eq!(interfaces.index("no-such-name"), None);
        assert!(interfaces.up("no-such-name").is_err());
    }

    #[test]
    fn a_name_that_is_too_long_is_refused_and_not_cut() {
        assert!(request("fifteen-letters").is_ok());
        assert!(request("sixteen-letters!").is_err());
    }
}
