//! IPv4 subnets and the pool of addresses that the appliance may give.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// An address with its prefix length: `10.10.10.1/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    address: Ipv4Addr,
    prefix: u8,
}

impl Subnet {
    /// `prefix` must leave room for hosts (8 to 30) and `address` must be a host in it.
    pub fn new(address: Ipv4Addr, prefix: u8) -> Result<Subnet, SubnetError> {
        let subnet = Subnet { address, prefix };
        if !(8..=30).contains(&prefix) {
            return Err(SubnetError("the prefix length must be 8 to 30"));
        }
        if !subnet.is_host(address) {
            return Err(SubnetError(
                "this is the network's own or broadcast address; take one between them",
            ));
        }
        if address.is_loopback() || address.is_multicast() || address.octets()[0] == 0 {
            return Err(SubnetError("this address cannot be a host's on a LAN"));
        }
        Ok(subnet)
    }

    /// The host address that was written before the slash.
    pub fn address(self) -> Ipv4Addr {
        self.address
    }

    /// Length of the network part in bits.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// `255.255.255.0` for `/24`.
    pub fn netmask(self) -> Ipv4Addr {
        Ipv4Addr::from(u32::MAX << (32 - u32::from(self.prefix)))
    }

    /// The address of the network itself.
    pub fn network(self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.address) & u32::from(self.netmask()))
    }

    /// The directed broadcast address.
    pub fn broadcast(self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.address) | !u32::from(self.netmask()))
    }

    /// Whether `address` lies in this network (its network and broadcast address too).
    pub fn contains(self, address: Ipv4Addr) -> bool {
        u32::from(address) & u32::from(self.netmask()) == u32::from(self.network())
    }

    /// Whether some address lies in both networks.
    pub fn overlaps(self, other: Subnet) -> bool {
        self.contains(other.network()) || other.contains(self.network())
    }

    /// Whether a machine can have `address` here.
    pub fn is_host(self, address: Ipv4Addr) -> bool {
        self.contains(address) && address != self.network() && address != self.broadcast()
    }

    /// Whether a machine other than ourselves can have `address` here.
    pub fn can_lend(self, address: Ipv4Addr) -> bool {
        self.is_host(address) && address != self.address
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = SubnetError;

    fn from_str(text: &str) -> Result<Subnet, SubnetError> {
        const SHAPE: SubnetError = SubnetError("write it like 10.10.10.1/24");
        let (address, prefix) = text.split_once('/').ok_or(SHAPE)?;
        let address = address.trim().parse().map_err(|_| SHAPE)?;
        let prefix = prefix.trim().parse().map_err(|_| SHAPE)?;
        Subnet::new(address, prefix)
    }
}

/// The first and last address that may be given to machines, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    first: Ipv4Addr,
    last: Ipv4Addr,
}

impl Pool {
    /// All of the pool must be hosts of `subnet`, and none of them the server itself.
    pub fn new(first: Ipv4Addr, last: Ipv4Addr, subnet: Subnet) -> Result<Pool, SubnetError> {
        if first > last {
            return Err(SubnetError("the first address is above the last"));
        }
        if !subnet.is_host(first) || !subnet.is_host(last) {
            return Err(SubnetError("it is not inside the network of the address beside it"));
        }
        let pool = Pool { first, last };
        if pool.contains(subnet.address()) {
            return Err(SubnetError("it holds the server's own address"));
        }
        Ok(pool)
    }

    /// `10.10.10.100-10.10.10.250`.
    pub fn parse(text: &str, subnet: Subnet) -> Result<Pool, SubnetError> {
        const SHAPE: SubnetError = SubnetError("write it like 10.10.10.100-10.10.10.250");
        let (first, last) = text.split_once('-').ok_or(SHAPE)?;
        let first = first.trim().parse().map_err(|_| SHAPE)?;
        let last = last.trim().parse().map_err(|_| SHAPE)?;
        Pool::new(first, last, subnet)
    }

    /// The upper part of `subnet`, for a config that names no pool: 10.10.10.100-250 for
    /// 10.10.10.1/24, and about the same share of a network of another size.
    pub fn default_for(subnet: Subnet) -> Result<Pool, SubnetError> {
        let network = u64::from(u32::from(subnet.network()));
        let size = u64::from(u32::from(subnet.broadcast())) - network + 1;
        let host = |share: u64| u32::try_from(network + size * share / 256).map(Ipv4Addr::from);
        let too_large = |_| SubnetError("the network is too large for a default pool");
        let first = host(100).map_err(too_large)?;
        let last = host(250).map_err(too_large)?;
        Pool::new(first, last, subnet)
            .map_err(|_| SubnetError("no default pool fits beside the address; name one with pool"))
    }

    /// Whether `address` may be given to a machine.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        (self.first..=self.last).contains(&address)
    }

    /// How many machines can have an address at once.
    pub fn size(self) -> u32 {
        u32::from(self.last) - u32::from(self.first) + 1
    }

    /// The address at `index`, counted from the first and around the end.
    pub fn nth(self, index: u32) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.first) + index % self.size())
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// Why the text is not a usable subnet or pool; one clause for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubnetError(&'static str);

impl fmt::Display for SubnetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for SubnetError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    #[test]
    fn a_subnet_knows_its_edges() {
        let net = subnet("10.10.10.1/24");
        assert_eq!(net.netmask(), Ipv4Addr::new(255, 255, 255, 0));
        assert_eq!(net.network(), Ipv4Addr::new(10, 10, 10, 0));
        assert_eq!(net.broadcast(), Ipv4Addr::new(10, 10, 10, 255));
        assert!(net.is_host(Ipv4Addr::new(10, 10, 10, 254)));
        assert!(!net.is_host(Ipv4Addr::new(10, 10, 11, 1)));
    }

    #[test]
    fn addresses_that_no_host_can_have_are_refused() {
        for text in
            ["10.10.10.0/24", "10.10.10.255/24", "127.0.0.1/8", "10.0.0.1/31", "10.0.0.1", "x/24"]
        {
            assert!(text.parse::<Subnet>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_pool_never_holds_the_server_or_leaves_the_network() {
        let net = subnet("10.10.10.1/24");
        assert!(Pool::parse("10.10.10.1-10.10.10.9", net).is_err());
        assert!(Pool::parse("10.10.10.100-10.10.11.9", net).is_err());
        assert!(Pool::parse("10.10.10.200-10.10.10.100", net).is_err());
        assert_eq!(Pool::parse("10.10.10.100 - 10.10.10.250", net).unwrap().size(), 151);
    }

    #[test]
    fn the_default_pool_of_the_default_network_is_100_to_250() {
        let pool = Pool::default_for(subnet("10.10.10.1/24")).unwrap();
        assert_eq!(pool.to_string(), "10.10.10.100-10.10.10.250");
        assert_eq!(pool.nth(151), Ipv4Addr::new(10, 10, 10, 100));
    }

    #[test]
    fn a_default_pool_never_holds_the_server() {
        assert!(Pool::default_for(subnet("10.10.10.150/24")).is_err());
    }
}
