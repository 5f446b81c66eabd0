//! The matrix: each firmware that is to be had as a program, with each way through our
//! loaders to a kernel. One [`Row`] is one way, and two boots.

mod boot;
mod expected;
mod rows;
pub mod table;

pub use rows::ROWS;

use super::net::firmware::Board;

/// One way from power on to a kernel.
pub struct Row {
    /// For people: the firmware, and the card if that matters.
    pub firmware: &'static str,
    /// For people: what is loaded, one after the other.
    pub loaders: &'static str,
    board: Board,
    /// QEMU's name of its network card.
    card: &'static str,
    first: First,
    by_http: bool,
    alone: When,
    beside: When,
}

/// What the firmware loads, which decides all that comes after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    /// Nothing: iPXE is in the card.
    Script,
    Pxelinux,
    Syslinux,
    Ipxe,
    Shim,
    /// U-Boot reads `pxelinux.cfg` itself.
    PxelinuxCfg,
}

/// With which runs of the tests a boot is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    EveryRun,
    /// `tests/run --all`
    Thorough,
    /// It cannot work, and why.
    Never(&'static str),
}

/// Who else is on the LAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lan {
    /// Nobody: the appliance gives the addresses.
    Alone,
    /// dnsmasq, which gives them: the appliance is a proxy.
    BesideDnsmasq,
}

/// One boot.
#[derive(Clone, Copy)]
pub struct Cell {
    pub row: &'static Row,
    pub lan: Lan,
}

impl Cell {
    /// The boots that can work, of this run or all of them.
    pub fn all(thorough: bool) -> Vec<Cell> {
        let cells = ROWS.iter().flat_map(|row| Lan::BOTH.map(|lan| Cell { row, lan }));
        cells.filter(|cell| cell.when() == When::EveryRun || thorough && cell.works()).collect()
    }

    /// Its name, which is the only one of this kind.
    pub fn name(&self) -> String {
        format!("{}: {}, {}", self.row.firmware, self.row.loaders, self.lan.words())
    }

    fn works(&self) -> bool {
        !matches!(self.when(), When::Never(_))
    }

    fn when(&self) -> When {
        match self.lan {
            Lan::Alone => self.row.alone,
            Lan::BesideDnsmasq => self.row.beside,
        }
    }
}

impl Lan {
    /// In the order of the table's columns.
    pub const BOTH: [Lan; 2] = [Lan::Alone, Lan::BesideDnsmasq];

    fn words(self) -> &'static str {
        match self {
            Lan::Alone => "alone",
            Lan::BesideDnsmasq => "beside dnsmasq",
        }
    }
}
