//! The releases of TensorFlow that fit.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The tests have been run with the first and the last of these.
const FITTING: RangeInclusive<(u32, u32)> = (2, 16)..=(2, 21);

/// The version of a TensorFlow, such as 2.21.0; patch levels do not matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The 2 of 2.21.0.
    pub major: u32,
    /// The 21 of 2.21.0.
    pub minor: u32,
}

impl Version {
    pub(super) fn fits(&self) -> bool {
        FITTING.contains(&(self.major, self.minor))
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split('.').map(str::parse);
        match (parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Ok(Self { major, minor }),
            _ => Err(format!("{text:?} is not a version")),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_releases_from_2_16_to_2_21_fit() {
        let fits = |text: &str| text.parse::<Version>().is_ok_and(|version| version.fits());
        for version in ["2.16.0", "2.16.2", "2.18.1-rc1", "2.21.0"] {
            assert!(fits(version), "{version}");
        }
        for version in ["2.15.1", "2.22.0", "1.16.0", "3.18.0", "", "2", "two.sixteen"] {
            assert!(!fits(version), "{version}");
        }
    }
}
