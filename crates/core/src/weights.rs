//! Parts of parameters, kept between explanations.

use crate::{Result, Tensor};
use std::collections::HashMap;
use std::sync::Mutex;

/// Which part of a weight a product uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// W
    Signed,
    /// |W|
    Abs,
    /// W⁺ = max(W, 0)
    Positive,
    /// W⁻ = max(−W, 0)
    Negative,
    /// W ⊙ W
    Square,
    /// 1 for every weight, so that only the connections count. In a map with structure, a weight of 0 is none.
    Ones,
}

impl Part {
    /// This part of a tensor.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor).
    pub fn of<T: Tensor>(self, tensor: &T) -> Result<T> {
        match self {
            Self::Signed => Ok(tensor.clone()),
            Self::Abs => tensor.abs(),
            Self::Positive => tensor.positive(),
            Self::Negative => tensor.negative(),
            Self::Square => tensor.mul(tensor),
            Self::Ones => tensor.full(&tensor.shape(), 1.0),
        }
    }

    /// This part of one entry of a map with structure, in which 0 is no weight.
    pub fn of_entry(self, entry: f64) -> f64 {
        match self {
            Self::Signed => entry,
            Self::Abs => entry.abs(),
            Self::Positive => entry.max(0.0),
            Self::Negative => (-entry).max(0.0),
            Self::Square => entry * entry,
            Self::Ones => f64::from(u8::from(entry.abs() > NO_WEIGHT)),
        }
    }
}

/// An entry below this in a map with structure is a rounding error of where it reads, and no weight.
const NO_WEIGHT: f64 = 1e-9;

/// Identity of a parameter's content: the same key means the same numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WeightKey {
    /// Names the parameter within its model; never reused for another.
    pub identity: u64,
    /// Changes with every write to the parameter.
    pub version: u64,
}

/// Keeps |W| (and other parts) of parameters, because computing |W| anew for every explanation costs a good part of a forward
/// pass. Its size in bytes is bounded. A changed parameter replaces its old entry.
#[derive(Debug)]
pub struct WeightCache<T> {
    limit: usize,
    kept: Mutex<Kept<T>>,
}

#[derive(Debug)]
struct Kept<T> {
    bytes: usize,
    parts: HashMap<(u64, Part), Entry<T>>,
}

#[derive(Debug)]
struct Entry<T> {
    version: u64,
    part: T,
    /// Held so that nothing else can take its address, and with it its identity.
    _weight: T,
}

impl<T: Tensor> WeightCache<T> {
    /// A cache of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, kept: Mutex::new(Kept { bytes: 0, parts: HashMap::new() }) }
    }

    /// A part of a tensor; from the cache if the tensor is a parameter that is already there.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor).
    pub fn part(&self, key: Option<WeightKey>, part: Part, tensor: &T) -> Result<T> {
        match key.filter(|_| part != Part::Signed) {
            Some(key) => self.made(key, part, tensor, || part.of(tensor)),
            None => part.of(tensor),
        }
    }

    /// What is made of a parameter, under a key of its own; from the cache if it is already there.
    ///
    /// # Errors
    /// Those of `make`.
    pub(crate) fn derived(
        &self,
        key: Option<WeightKey>,
        weight: &T,
        make: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        match key {
            Some(key) => self.made(key, Part::Signed, weight, make),
            None => make(),
        }
    }

    fn made(&self, key: WeightKey, part: Part, weight: &T, make: impl FnOnce() -> Result<T>) -> Result<T> {
        if let Some(kept) = self.lock().parts.get(&(key.identity, part))
            && kept.version == key.version
        {
            return Ok(kept.part.clone());
        }
        // Computed outside the lock: two threads may compute it twice, but neither waits for the other.
        let made = make()?;
        let mut kept = self.lock();
        if let Some(old) = kept.parts.remove(&(key.identity, part)) {
            kept.bytes -= bytes(&old.part);
        }
        if kept.bytes + bytes(&made) <= self.limit {
            kept.bytes += bytes(&made);
            let entry = Entry { version: key.version, part: made.clone(), _weight: weight.clone() };
            kept.parts.insert((key.identity, part), entry);
        }
        Ok(made)
    }

    /// The number of bytes held now.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept<T>> {
        // A thread that panicked while it held the lock left the map complete, because no change is done in two steps.
        self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn bytes<T: Tensor>(tensor: &T) -> usize {
    let width = if tensor.dtype() == crate::DType::F64 { 8 } else { 4 };
    tensor.shape().iter().product::<usize>() * width
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;

    fn key(version: u64) -> Option<WeightKey> {
        Some(WeightKey { identity: 7, version })
    }

    #[test]
    fn a_changed_weight_replaces_its_part() {
        let cache = WeightCache::new(1 << 10);
        let old = Array::from_slice(&[2], &[-1.0, 2.0]);
        let new = Array::from_slice(&[2], &[-3.0, 4.0]);
        cache.part(key(0), Part::Abs, &old).unwrap();
        let part = cache.part(key(1), Part::Abs, &new).unwrap();
        assert_eq!(part.to_array().unwrap().into_raw_vec_and_offset().0, [3.0, 4.0]);
        assert_eq!(cache.bytes(), 16);
    }

    #[test]
    fn the_limit_holds() {
        let cache = WeightCache::new(8);
        cache.part(key(0), Part::Abs, &Array::from_slice(&[2], &[-1.0, 2.0])).unwrap();
        assert_eq!(cache.bytes(), 0);
    }
}
