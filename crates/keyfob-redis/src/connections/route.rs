//! Which server is the primary of which slot.

use super::call_error::CallError;
use super::slot_ranges::SlotRange;
use crate::config::Address;

/// The primaries and their slots.
#[derive(Debug)]
pub(super) enum Route {
    /// One primary has all slots.
    Single(Address),
    Slots(Vec<SlotRange>),
}

impl Route {
    pub(super) fn address(&self, slot: u16) -> Result<Address, CallError> {
        let owner = match self {
            Self::Single(address) => Some(address),
            Self::Slots(ranges) => ranges
                .iter()
                .find(|range| (range.first..=range.last).contains(&slot))
                .map(|range| &range.address),
        };
        let no_owner = || CallError::Refused(format!("no server of the cluster has slot {slot}"));
        owner.cloned().ok_or_else(no_owner)
    }

    pub(super) fn addresses(&self) -> Vec<&Address> {
        match self {
            Self::Single(address) => vec![address],
            Self::Slots(ranges) => {
                let mut addresses: Vec<&Address> = Vec::new();
                for range in ranges {
                    if !addresses.contains(&&range.address) {
                        addresses.push(&range.address);
                    }
                }
                addresses
            }
        }
    }
}
