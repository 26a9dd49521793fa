//! Finds out from its opcodes what a Python pickle holds, without running any of it.

use std::collections::HashMap;

/// The names in pickles, in their order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pickled {
    /// Classes and functions, such as `collections.OrderedDict`.
    pub globals: Vec<String>,
    /// The keys of dictionaries within the outermost one.
    pub inner: Vec<String>,
    /// The keys whose values are tensors.
    pub tensors: Vec<String>,
}

impl Pickled {
    /// Whether a class or function of the module, or of one within it, is named.
    pub fn uses(&self, module: &str) -> bool {
        self.globals.iter().any(|name| name.strip_prefix(module).is_some_and(|rest| rest.starts_with('.')))
    }
}

/// Reads pickles that follow one another.
pub(super) fn read(bytes: &[u8]) -> Pickled {
    let mut found = Pickled::default();
    let mut reader = Reader { rest: bytes, memo: HashMap::new(), made: None, texts: Vec::new(), key: None };
    while reader.step(&mut found).is_some() {}
    found
}

/// What an opcode made, as far as we need it.
#[derive(Clone)]
enum Made {
    Text(String),
    Global(String),
}

struct Reader<'a> {
    rest: &'a [u8],
    /// The objects that later opcodes can refer to.
    memo: HashMap<usize, Option<Made>>,
    made: Option<Made>,
    texts: Vec<String>,
    /// The last text, which is the key of the next value.
    key: Option<String>,
}

impl<'a> Reader<'a> {
    /// Reads one opcode; `None` at the end, or if this is not a pickle.
    fn step(&mut self, found: &mut Pickled) -> Option<()> {
        let (&[opcode], rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        match opcode {
            b'X' | b'T' => self.text(4)?,
            0x8c | b'U' => self.text(1)?,
            0x8d => self.text(8)?,
            b'c' => {
                let name = format!("{}.{}", self.line()?, self.line()?);
                self.global(name, found);
            }
            0x93 => {
                let [.., module, name] = self.texts.as_slice() else { return Some(()) };
                self.global(format!("{module}.{name}"), found);
            }
            // The object just made is remembered; the key stays as it was.
            b'q' => self.remember(1)?,
            b'r' => self.remember(4)?,
            0x94 => drop(self.memo.insert(self.memo.len(), self.made.clone())),
            b'h' => self.recall(1, found)?,
            b'j' => self.recall(4, found)?,
            _ => {
                self.argument(opcode)?;
                let key = self.key.take();
                found.inner.extend(key.filter(|_| opcode == b'}'));
                self.made = None;
            }
        }
        Some(())
    }

    fn global(&mut self, name: String, found: &mut Pickled) {
        let key = self.key.take();
        if name == "collections.OrderedDict" {
            found.inner.extend(key);
        } else if name.starts_with("torch._utils._rebuild") {
            found.tensors.extend(key);
        }
        self.made = Some(Made::Global(name.clone()));
        found.globals.push(name);
    }

    fn remember(&mut self, size: usize) -> Option<()> {
        let index = self.number(size)?;
        self.memo.insert(index, self.made.clone());
        Some(())
    }

    fn recall(&mut self, size: usize, found: &mut Pickled) -> Option<()> {
        let index = self.number(size)?;
        match self.memo.get(&index).cloned().flatten() {
            Some(Made::Text(text)) => self.said(text),
            Some(Made::Global(name)) => self.global(name, found),
            None => self.key = None,
        }
        Some(())
    }

    /// Skips the argument of any other opcode.
    fn argument(&mut self, opcode: u8) -> Option<()> {
        match opcode {
            b'K' | 0x80 | 0x82 => self.skip(1),
            b'M' | 0x83 => self.skip(2),
            b'J' | 0x84 => self.skip(4),
            b'G' | 0x95 => self.skip(8),
            b'C' | 0x8a => self.take(1).map(drop),
            b'B' | 0x8b => self.take(4).map(drop),
            0x8e | 0x96 => self.take(8).map(drop),
            b'I' | b'L' | b'F' | b'V' | b'S' | b'g' | b'p' | b'P' => self.line().map(drop),
            b'i' => self.line().and_then(|_| self.line()).map(drop),
            _ => Some(()),
        }
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.rest = self.rest.get(count..)?;
        Some(())
    }

    /// Bytes that follow their own number, which takes `size` bytes.
    fn take(&mut self, size: usize) -> Option<&'a [u8]> {
        let count = self.number(size)?;
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn number(&mut self, size: usize) -> Option<usize> {
        let (bytes, rest) = self.rest.split_at_checked(size)?;
        self.rest = rest;
        let add = |number: usize, byte: &u8| number.checked_mul(256)?.checked_add((*byte).into());
        bytes.iter().rev().try_fold(0, add)
    }

    fn text(&mut self, size: usize) -> Option<()> {
        let text = String::from_utf8_lossy(self.take(size)?).into_owned();
        self.said(text);
        Some(())
    }

    fn said(&mut self, text: String) {
        self.key = Some(text.clone());
        self.made = Some(Made::Text(text.clone()));
        self.texts.push(text);
    }

    fn line(&mut self) -> Option<String> {
        let end = self.rest.iter().position(|byte| *byte == b'\n')?;
        let line = String::from_utf8_lossy(self.rest.get(..end)?).into_owned();
        self.skip(end + 1)?;
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_keys_are_found_in_old_and_new_protocols() {
        // {'epoch': 3, 'net': OrderedDict(w=_rebuild_tensor_v2(...))}, protocol 2.
        let old = b"\x80\x02}q\x00(X\x05\x00\x00\x00epochq\x01K\x03X\x03\x00\x00\x00netq\x02ccollections\nOrderedDict\n\
                    q\x03)Rq\x04X\x01\x00\x00\x00wq\x05ctorch._utils\n_rebuild_tensor_v2\nq\x06.";
        let found = read(old);
        assert_eq!(found.inner, ["net"]);
        assert_eq!(found.tensors, ["w"]);
        assert!(found.uses("torch") && !found.uses("torch.nn"));
        // A class by STACK_GLOBAL, as protocol 4 has it.
        let new = b"\x80\x04\x95\x20\0\0\0\0\0\0\0\x8c\x14sklearn.linear_model\x94\x8c\x05Ridge\x94\x93\x94)\x81\x94.";
        assert_eq!(read(new).globals, ["sklearn.linear_model.Ridge"]);
        for cut in 0..new.len() {
            read(&new[..cut]);
        }
    }
}
