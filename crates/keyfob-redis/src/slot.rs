//! The slots of a cluster, and the hash tags that spread lanes over them evenly.
//!
//! A cluster assigns its 16,384 slots to the primaries in long ranges. With arbitrary tags the
//! lanes would be spread unevenly: of 64 lanes the busiest of three primaries would get 1.3 times
//! its share. So lane L of N has the shortest tag whose slot is in the L-th of N equal stripes.

use keyfob_store::LaneCount;

const SLOTS: u16 = 16_384;

/// The version of the table that [`lane_tags`] returns. Another table means other keys.
pub(crate) const TAG_TABLE: u8 = 1;

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// Returns the slot of a key. If there is text between its first braces, only that text counts.
pub(crate) fn slot_of(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = key.get(open + 1..)?;
        let close = rest.iter().position(|byte| *byte == b'}')?;
        rest.get(..close).filter(|tag| !tag.is_empty())
    });
    crc16(tag.unwrap_or(key)) % SLOTS
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc: u16, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
        })
    })
}

/// Returns the tag of each lane, in order of the lanes.
pub(crate) fn lane_tags(lanes: LaneCount) -> Vec<String> {
    let count = usize::from(lanes.get());
    let mut tags = vec![String::new(); count];
    let mut missing = count;
    for length in 1..=4u32 {
        for number in 0..36usize.pow(length) {
            let tag = tag(number, length);
            let stripe = usize::from(slot_of(tag.as_bytes())) * count / usize::from(SLOTS);
            if let Some(found) = tags.get_mut(stripe).filter(|found| found.is_empty()) {
                *found = tag;
                missing -= 1;
            }
            if missing == 0 {
                return tags;
            }
        }
    }
    tags
}

fn tag(number: usize, length: u32) -> String {
    (0..length).rev().map(|power| char::from(DIGITS[number / 36usize.pow(power) % 36])).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn slots_are_those_of_redis() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(slot_of(b"foo"), 12_182);
        assert_eq!(slot_of(b"x{foo}y{bar}"), 12_182);
        assert_eq!(slot_of(b"{}foo"), crc16(b"{}foo") % SLOTS);
    }

    #[test]
    fn every_lane_has_a_short_tag_of_its_own_in_its_stripe() {
        for count in [1, 3, 64, 1024] {
            let tags = lane_tags(LaneCount::new(count).unwrap());
            assert_eq!(tags.iter().collect::<HashSet<_>>().len(), usize::from(count));
            for (lane, tag) in tags.iter().enumerate() {
                let stripe = u32::from(slot_of(tag.as_bytes())) * u32::from(count) / 16_384;
                assert_eq!(stripe, lane as u32);
                assert!((1..=3).contains(&tag.len()), "{tag}");
            }
        }
    }

    #[test]
    fn the_table_of_tags_does_not_change_within_its_version() {
        let tags = lane_tags(LaneCount::DEFAULT);
        assert_eq!(TAG_TABLE, 1);
        assert_eq!(tags[..6].join(" "), "10 18 6h 03 29 21");
        assert_eq!(crc16(tags.concat().as_bytes()), 43_742);
    }
}
