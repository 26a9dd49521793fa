//! The types of a model's arguments, as the framework writes them: `Dict[str, List[Tensor]]`.

/// What a type holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    /// `List[X]`: the type of its elements.
    List(&'a str),
    /// `Tuple[X, Y]`: the types of its elements, with commas.
    Tuple(&'a str),
    /// `Dict[K, V]`: the type of its values.
    Dict(&'a str),
    /// A class of the model's own, such as a named tuple.
    Class,
    /// A tensor or a number.
    Single,
}

impl<'a> Kind<'a> {
    /// Takes a type apart; an optional one counts as what it holds.
    pub fn of(kind: &'a str) -> Self {
        let inside = |container: &str| kind.strip_prefix(container)?.strip_prefix('[')?.strip_suffix(']');
        if let Some(inner) = inside("Optional") {
            return Self::of(inner);
        }
        if let Some(inner) = inside("List") {
            return Self::List(inner);
        }
        if let Some(inner) = inside("Tuple") {
            return Self::Tuple(inner);
        }
        if let Some(inner) = inside("Dict") {
            return Self::Dict(parts(inner).nth(1).unwrap_or(""));
        }
        if kind.starts_with("__torch__") || kind.starts_with("NamedTuple") {
            Self::Class
        } else {
            Self::Single
        }
    }

    /// The type of the element at an index.
    pub fn element(self, index: usize) -> &'a str {
        match self {
            Self::List(inner) => inner,
            Self::Tuple(inner) => parts(inner).nth(index).unwrap_or(""),
            Self::Dict(_) | Self::Class | Self::Single => "",
        }
    }
}

/// The parts between the outermost commas.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    text.split(move |c| {
        match c {
            '[' | '(' => depth += 1,
            ']' | ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
    .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn types_are_taken_apart() {
        assert_eq!(Kind::of("Optional[List[Tensor]]"), Kind::List("Tensor"));
        assert_eq!(Kind::of("Dict[str, Tuple[int, Tensor]]"), Kind::Dict("Tuple[int, Tensor]"));
        let tuple = Kind::of("Tuple[Tensor, Tuple[Tensor, int], Dict[str, int]]");
        assert_eq!(
            [0, 1, 2, 3].map(|i| tuple.element(i)),
            ["Tensor", "Tuple[Tensor, int]", "Dict[str, int]", ""]
        );
        assert_eq!(Kind::of("__torch__.Point"), Kind::Class);
        for single in ["Tensor", "int", "Optional[float]", "str", "", "]["] {
            assert_eq!(Kind::of(single), Kind::Single, "{single}");
        }
    }
}
