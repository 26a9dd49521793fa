//! Pieces that several operators share. None of these files is an operator.

pub(super) mod bilinear;
pub(super) mod live_rows;
pub(super) mod movement;
#[cfg(test)]
pub(super) mod testing;
pub(super) mod windows;
pub(super) mod winner;
