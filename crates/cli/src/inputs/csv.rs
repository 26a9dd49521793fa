//! `.csv`: a table with one sample a row. The type of the model's input decides how cells are read, not their look.

use super::kind::Leaf;
use crate::args::TableArgs;
use csv::{ReaderBuilder, StringRecord, Trim};
use dlbacktrace::{Argument, Value};
use ndarray::{Array2, ArrayD};

/// What a file holds.
#[derive(Debug)]
pub enum Table {
    /// Rows by columns, with the names of the columns if the file has them.
    Whole { value: Value, names: Option<Vec<String>> },
    /// Columns that are inputs of the model, by name.
    Columns(Vec<(String, Value)>),
}

/// Reads a table for these arguments. Its first row is a header unless it consists of numbers only. With `columns`, the
/// columns named as the arguments are wanted.
///
/// # Errors
/// What is wrong with the table, and which option helps.
pub fn parse(
    bytes: &[u8],
    options: &TableArgs,
    arguments: &[Argument],
    columns: bool,
) -> Result<Table, String> {
    let sheet = Sheet::read(bytes, options)?;
    if let ([only], false) = (arguments, columns) {
        return sheet.whole(only);
    }
    let mut found = Vec::new();
    for argument in arguments {
        let columns = sheet.columns_of(argument)?;
        if let Some(&first) = columns.first() {
            found.push((first, (argument.name.clone(), sheet.values(&columns, argument)?)));
        }
    }
    found.sort_by_key(|(first, _)| *first);
    let columns: Vec<_> = found.into_iter().map(|(_, column)| column).collect();
    if columns.is_empty() { sheet.numbers() } else { Ok(Table::Columns(columns)) }
}

/// The names of the chosen columns; none without a header.
///
/// # Errors
/// What is wrong with the table.
pub fn names(bytes: &[u8], options: &TableArgs) -> Result<Vec<String>, String> {
    Ok(Sheet::read(bytes, options)?.chosen_names().unwrap_or_default())
}

/// The chosen part of a table.
struct Sheet {
    /// The names of all columns; empty without a header.
    names: Vec<String>,
    /// The chosen columns.
    columns: Vec<usize>,
    /// The chosen rows with their numbers.
    rows: Vec<(usize, StringRecord)>,
}

impl Sheet {
    fn read(bytes: &[u8], options: &TableArgs) -> Result<Self, String> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let delimiter = delimiter(bytes);
        let mut reader =
            ReaderBuilder::new().has_headers(false).trim(Trim::All).delimiter(delimiter).from_reader(bytes);
        let mut rows: Vec<StringRecord> = reader
            .records()
            .collect::<Result<_, _>>()
            .map_err(|e| format!("it is not a complete table ({e})"))?;
        let has_header = rows.first().is_some_and(|row| row.iter().any(|cell| number(cell).is_none()));
        let names: Vec<String> =
            if has_header { rows.remove(0).iter().map(str::to_owned).collect() } else { Vec::new() };
        let width = rows.first().map_or(names.len(), StringRecord::len);
        let columns = chosen(&names, width, options)?;
        Ok(Self { names, columns, rows: selected(rows, &options.row)? })
    }

    /// The whole table for the only argument.
    fn whole(&self, argument: &Argument) -> Result<Table, String> {
        match Leaf::of(&argument.kind) {
            Leaf::Text => self.texts(argument),
            Leaf::Integer => {
                let value = Value::Int(self.array(&self.columns, |row, column| self.integer(row, column))?);
                Ok(Table::Whole { value, names: self.chosen_names() })
            }
            _ => self.numbers(),
        }
    }

    fn numbers(&self) -> Result<Table, String> {
        let value = Value::F64(self.array(&self.columns, |row, column| {
            self.number(row, column).map_err(|told| self.text_in_columns().unwrap_or(told))
        })?);
        Ok(Table::Whole { value, names: self.chosen_names() })
    }

    /// The texts of an argument: the column of its name, the only column, or all columns if the model takes as many.
    fn texts(&self, argument: &Argument) -> Result<Table, String> {
        let named = self.columns.iter().find(|&&column| self.names.get(column) == Some(&argument.name));
        let columns = match named {
            Some(column) => std::slice::from_ref(column),
            None => &self.columns,
        };
        let wanted = argument.shape().filter(|shape| shape.len() > 1).and_then(|shape| *shape.last()?);
        if columns.len() > 1 && wanted != Some(columns.len()) {
            let names: Vec<String> = columns.iter().map(|column| self.name(*column)).collect();
            return Err(format!(
                "it has {} columns, but the model takes one text: choose a column with --columns, one of {}",
                columns.len(),
                names.join(", ")
            ));
        }
        let row = |(_, row): &(usize, StringRecord)| {
            let texts =
                columns.iter().map(|column| Value::Text(row.get(*column).unwrap_or_default().to_owned()));
            Value::List(texts.collect())
        };
        Ok(Table::Whole {
            value: Value::List(self.rows.iter().map(row).collect()),
            names: self.chosen_names(),
        })
    }

    /// The columns for an argument: those of its name, as it is or as TensorFlow writes it. For an argument that takes several
    /// values a row, else the columns that number these (`size_0`, `size[1]`).
    fn columns_of(&self, argument: &Argument) -> Result<Vec<usize>, String> {
        let wanted = taken(argument);
        let named = |same: &dyn Fn(&str) -> bool| -> Vec<usize> {
            self.columns
                .iter()
                .copied()
                .filter(|&column| self.names.get(column).is_some_and(|name| same(name)))
                .collect()
        };
        let mut found = named(&|name| name == argument.name);
        if found.is_empty() {
            found = named(&|name| identifier(name) == argument.name);
        }
        if found.is_empty() && wanted != Some(1) {
            let place = |column: &usize| Some((place_in(self.names.get(*column)?, &argument.name)?, *column));
            let mut places: Vec<_> = self.columns.iter().filter_map(place).collect();
            places.sort_unstable();
            let first = places.first().map_or(0, |(place, _)| *place);
            if first < 2 && places.iter().zip(first..).all(|((place, _), count)| *place == count) {
                found = places.into_iter().map(|(_, column)| column).collect();
            }
        }
        match wanted {
            Some(wanted) if !found.is_empty() && found.len() != wanted => {
                let names: Vec<_> = found.iter().map(|column| format!("`{}`", self.name(*column))).collect();
                let of = names.join(", ");
                let name = &argument.name;
                Err(match wanted {
                    1 => format!(
                        "{of} are all columns for {name}, which takes one value a row; leave out others with --drop"
                    ),
                    _ => format!(
                        "{name} takes {wanted} values a row, and the table has {of}; name its columns {name}_0 to {name}_{}",
                        wanted - 1
                    ),
                })
            }
            _ => Ok(found),
        }
    }

    /// Columns as an array `[N, columns]` for an argument.
    fn values(&self, columns: &[usize], argument: &Argument) -> Result<Value, String> {
        let integers = || self.array(columns, |row, column| self.integer(row, column)).map(Value::Int);
        let numbers = || self.array(columns, |row, column| self.number(row, column)).map(Value::F64);
        match Leaf::of(&argument.kind) {
            Leaf::Text => {
                let cell =
                    |row: &StringRecord, column| Value::Text(row.get(column).unwrap_or_default().to_owned());
                let row = |(_, row): &(usize, StringRecord)| {
                    Value::List(columns.iter().map(|&column| cell(row, column)).collect())
                };
                Ok(Value::List(self.rows.iter().map(row).collect()))
            }
            Leaf::Integer => integers(),
            Leaf::Float => numbers(),
            Leaf::Flag => self.array(columns, |row, column| self.flag(row, column)).map(Value::Bool),
            Leaf::Any => integers().or_else(|_| numbers()),
        }
    }

    fn array<T>(
        &self,
        columns: &[usize],
        cell: impl Fn(usize, usize) -> Result<T, String>,
    ) -> Result<ArrayD<T>, String> {
        let cells = (0..self.rows.len()).flat_map(|row| columns.iter().map(move |column| (row, *column)));
        let cells = cells.map(|(row, column)| cell(row, column)).collect::<Result<_, _>>()?;
        let array = Array2::from_shape_vec((self.rows.len(), columns.len()), cells);
        Ok(array.map_err(|e| e.to_string())?.into_dyn())
    }

    fn cell(&self, row: usize, column: usize) -> &str {
        self.rows.get(row).and_then(|(_, row)| row.get(column)).unwrap_or_default()
    }

    fn number(&self, row: usize, column: usize) -> Result<f64, String> {
        number(self.cell(row, column)).ok_or_else(|| self.misfit(row, column, "a number"))
    }

    fn integer(&self, row: usize, column: usize) -> Result<i64, String> {
        let cell = self.cell(row, column);
        let whole = |number: &f64| number.fract() == 0.0 && number.abs() < 9e15;
        cell.parse()
            .ok()
            .or_else(|| number(cell).filter(whole).map(|number| number as i64))
            .ok_or_else(|| self.misfit(row, column, "an integer"))
    }

    fn flag(&self, row: usize, column: usize) -> Result<bool, String> {
        match self.cell(row, column).to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(self.misfit(row, column, "true or false")),
        }
    }

    /// The error that names the cell and says what to do.
    fn misfit(&self, row: usize, column: usize, wanted: &str) -> String {
        let cell = self.cell(row, column);
        let holds = if cell.is_empty() { "is blank".to_owned() } else { format!("holds `{cell}`") };
        let (number, name) = (self.rows.get(row).map_or(row, |(number, _)| *number), self.name(column));
        let point = if cell.contains(',') { " (with a point, not a comma)" } else { "" };
        let other = if column.to_string() == name { String::new() } else { format!(" ({column})") };
        format!(
            "row {number}, column `{name}`{other} {holds}, but should hold {wanted}{point}. Correct it, leave the column out \
             with --drop, or choose other rows with --row; all count from 0"
        )
    }

    fn name(&self, column: usize) -> String {
        self.names.get(column).cloned().unwrap_or_else(|| column.to_string())
    }

    fn chosen_names(&self) -> Option<Vec<String>> {
        (!self.names.is_empty()).then(|| self.columns.iter().map(|column| self.name(*column)).collect())
    }

    /// The error that names the columns that hold no numbers.
    fn text_in_columns(&self) -> Option<String> {
        let is_text = |column: usize| {
            let mut cells = (0..self.rows.len()).map(|row| self.cell(row, column));
            cells.all(|cell| number(cell).is_none())
                && (0..self.rows.len()).any(|row| !self.cell(row, column).is_empty())
        };
        let texts = self.columns.iter().filter(|column| is_text(**column)).map(|column| self.name(*column));
        let names = texts.map(|name| quoted(&name)).collect::<Vec<_>>().join(",");
        (!names.is_empty()).then(|| {
            format!(
                "there are no numbers in {names}; leave them out with --drop '{names}', or choose columns with --columns"
            )
        })
    }
}

/// The number of values a row that an argument takes; `None` if it takes any number.
fn taken(argument: &Argument) -> Option<usize> {
    match argument.shape()?.as_slice() {
        [] | [_] => Some(1),
        [_, extents @ ..] => extents.iter().copied().product(),
    }
}

/// A name as TensorFlow writes it for an input: `rate [%]` as `rate____`.
fn identifier(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// The number of a column within an input: 1 for `size_1`, `size.1`, `size[1]` and `size1`.
fn place_in(column: &str, input: &str) -> Option<usize> {
    let column = column.strip_suffix(']').unwrap_or(column);
    let base = column.trim_end_matches(|c: char| c.is_ascii_digit());
    let place = column.get(base.len()..)?.parse().ok()?;
    let base = base.strip_suffix(['_', '.', '[', ' ', '-']).unwrap_or(base);
    (base == input || identifier(base) == input).then_some(place)
}

fn number(cell: &str) -> Option<f64> {
    cell.parse().ok()
}

/// A name as it is written in a list.
fn quoted(name: &str) -> String {
    if name.contains(',') { format!("\"{name}\"") } else { name.to_owned() }
}

/// The separator: a comma, unless the first line has none but has another usual one.
fn delimiter(bytes: &[u8]) -> u8 {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    [b',', b';', b'\t'].into_iter().find(|delimiter| line.contains(delimiter)).unwrap_or(b',')
}

/// The indices of the columns to use.
fn chosen(names: &[String], width: usize, options: &TableArgs) -> Result<Vec<usize>, String> {
    if !options.columns.is_empty() {
        return listed(&options.columns, names, width);
    }
    let dropped = listed(&options.drop, names, width)?;
    Ok((0..width).filter(|column| !dropped.contains(column)).collect())
}

/// The columns of lists such as `age,"size, cm",3`. Names go before numbers. A name that contains a comma needs no quotes:
/// the longest name that matches is taken.
fn listed(lists: &[String], names: &[String], width: usize) -> Result<Vec<usize>, String> {
    let mut found = Vec::new();
    for list in lists {
        let parts = parts(list);
        let mut parts = parts.as_slice();
        while !parts.is_empty() {
            let named = (1..=parts.len()).rev().find_map(|count| {
                let name = parts.get(..count)?.join(",");
                let name = name.trim();
                let named = names.iter().position(|there| there == name);
                Some((named.or_else(|| name.parse().ok().filter(|index| *index < width))?, count))
            });
            let (column, count) = named.ok_or_else(|| {
                let wanted = parts.first().map_or("", |part| part.trim());
                match names {
                    [] => format!(
                        "it has no column {wanted}; it has no header, so columns are 0 to {}",
                        width.saturating_sub(1)
                    ),
                    names => format!("it has no column `{wanted}`; its columns are {}", names.join(", ")),
                }
            })?;
            found.push(column);
            parts = parts.get(count..).unwrap_or_default();
        }
    }
    Ok(found)
}

/// The parts of a list between commas; double quotes hold a part together.
fn parts(list: &str) -> Vec<String> {
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(list.as_bytes());
    let row = reader.records().next().and_then(Result::ok);
    row.map_or_else(|| vec![list.to_owned()], |row| row.iter().map(str::to_owned).collect())
}

fn selected(rows: Vec<StringRecord>, wanted: &[usize]) -> Result<Vec<(usize, StringRecord)>, String> {
    if rows.is_empty() {
        return Err("it has no rows of data".to_owned());
    }
    if wanted.is_empty() {
        return Ok(rows.into_iter().enumerate().collect());
    }
    let row = |index: &usize| {
        let row = rows.get(*index).cloned().map(|row| (*index, row));
        row.ok_or_else(|| format!("it has no row {index}; it has {} rows, counted from 0", rows.len()))
    };
    wanted.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    const TABLE: &str = "age,city,height\n30,Oslo,1.8\n40,Rome,1.7\n";

    fn options(columns: &[&str], drop: &[&str], row: &[usize]) -> TableArgs {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        TableArgs { columns: owned(columns), drop: owned(drop), row: row.to_vec() }
    }

    fn argument(name: &str, kind: &str) -> Argument {
        Argument { name: name.to_owned(), kind: kind.to_owned(), optional: false }
    }

    #[test]
    fn several_columns_fill_an_input_of_several_values() -> Result<(), String> {
        let arguments = [
            argument("house_size", "Tensor float32 [?, 1]"),
            argument("hist", "Tensor float32 [?, 3]"),
            argument("tags", "Tensor string [?, ?]"),
        ];
        for names in
            ["hist_0,hist_1,hist_2", "hist[1],hist[2],hist[3]", "hist.0,hist.1,hist.2", "hist,hist,hist"]
        {
            let text = format!("house size,tags0,{names},tags1\n9,a,1,2,3,b\n");
            let Table::Columns(columns) = parse(text.as_bytes(), &options(&[], &[], &[]), &arguments, true)?
            else {
                return Err("columns are inputs".to_owned());
            };
            let found = format!("{columns:?}");
            let [(size, _), (tags, Value::List(texts)), (hist, Value::F64(values))] = columns.as_slice()
            else {
                return Err(found);
            };
            assert_eq!([size.as_str(), tags, hist], ["house_size", "tags", "hist"]);
            assert_eq!(*values, arr2(&[[1.0, 2.0, 3.0]]).into_dyn());
            assert_eq!(format!("{texts:?}"), r#"[List([Text("a"), Text("b")])]"#);
        }
        for (names, words) in
            [("hist_0,hist_1", "takes 3 values a row"), ("house size,house/size", "takes one value a row")]
        {
            let told = parse(format!("{names}\n1,2\n").as_bytes(), &options(&[], &[], &[]), &arguments, true);
            assert!(told.is_err_and(|told| told.contains(words)), "{names}");
        }
        Ok(())
    }

    type Numbers = (ArrayD<f64>, Option<Vec<String>>);

    fn numbers(text: &str, options: &TableArgs) -> Result<Numbers, String> {
        match parse(text.as_bytes(), options, &[argument("x", "Tensor")], false)? {
            Table::Whole { value: Value::F64(values), names } => Ok((values, names)),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn header_gives_names_and_options_choose() -> Result<(), String> {
        let table = numbers(TABLE, &options(&[], &["city"], &[]))?;
        assert_eq!(table.0, arr2(&[[30.0, 1.8], [40.0, 1.7]]).into_dyn());
        assert_eq!(table.1, Some(vec!["age".to_owned(), "height".to_owned()]));
        assert_eq!(table, numbers(TABLE, &options(&["age,2"], &[], &[]))?);
        let one = numbers(TABLE, &options(&["height"], &[], &[1]))?;
        assert_eq!(one.0, arr2(&[[1.7]]).into_dyn());
        Ok(())
    }

    #[test]
    fn names_of_columns_are_taken_as_they_are() -> Result<(), String> {
        let table = "sepal length (cm),\"size, cm\",a/b [c].d,7\n1,2,3,4\n";
        for (list, expected) in [
            ("sepal length (cm)", &[1.0][..]),
            ("size, cm,a/b [c].d", &[2.0, 3.0]),
            ("a/b [c].d,\"size, cm\"", &[3.0, 2.0]),
            ("7,0", &[4.0, 1.0]),
        ] {
            let found = numbers(table, &options(&[list], &[], &[]))?.0;
            assert_eq!(found.iter().copied().collect::<Vec<_>>(), expected, "{list}");
        }
        assert_eq!(numbers(table, &options(&[], &["size, cm,7"], &[]))?.0, arr2(&[[1.0, 3.0]]).into_dyn());
        Ok(())
    }

    #[test]
    fn columns_go_to_the_inputs_of_their_names() -> Result<(), String> {
        let arguments = [
            argument("height", "Tensor float32 [?, 1]"),
            argument("age", "Tensor"),
            argument("city", "Tensor string [?, 1]"),
        ];
        let Table::Columns(columns) = parse(TABLE.as_bytes(), &options(&[], &[], &[1]), &arguments, true)?
        else {
            return Err("columns are inputs".to_owned());
        };
        let [(_, Value::Int(age)), (_, Value::List(city)), (_, Value::F64(height))] = columns.as_slice()
        else {
            return Err(format!("{columns:?}"));
        };
        assert_eq!((age, height), (&arr2(&[[40]]).into_dyn(), &arr2(&[[1.7]]).into_dyn()));
        assert!(
            matches!(city.as_slice(), [Value::List(city)] if matches!(&city[..], [Value::Text(city)] if city == "Rome"))
        );
        // One argument takes the whole table, whatever its columns are called.
        let whole =
            parse(TABLE.as_bytes(), &options(&[], &["city"], &[]), &[argument("age", "Tensor")], false)?;
        assert!(matches!(whole, Table::Whole { .. }));
        Ok(())
    }

    #[test]
    fn the_models_type_says_what_digits_are() -> Result<(), String> {
        let codes = "zip,flag,age\n0150,true,3.0\n0200,0,4\n";
        let column = |kind: &str, name: &str| {
            let arguments = [argument(name, kind), argument("other", "Tensor")];
            match parse(codes.as_bytes(), &options(&[], &[], &[]), &arguments, true)? {
                Table::Columns(columns) => Ok(format!("{columns:?}")),
                Table::Whole { .. } => Err("columns are inputs".to_owned()),
            }
        };
        assert!(column("Tensor string [?, 1]", "zip")?.contains("Text(\"0150\")"));
        assert!(column("Tensor int64 [?, 1]", "zip")?.contains("[150]"));
        assert!(column("Tensor float32 [?, 1]", "zip")?.contains("150.0"));
        assert!(column("Tensor int64 [?, 1]", "age")?.contains("Int([[3]"));
        assert!(column("Tensor bool [?, 1]", "flag")?.contains("[true]"));
        assert!(column("Tensor int64 [?, 1]", "flag").is_err());
        Ok(())
    }

    #[test]
    fn a_column_of_texts_is_the_one_input_of_texts() -> Result<(), String> {
        let texts = |table: &str, kind: &str, chosen: &TableArgs| match parse(
            table.as_bytes(),
            chosen,
            &[argument("text", kind)],
            false,
        )? {
            Table::Whole { value, .. } => Ok::<_, String>(format!("{value:?}")),
            Table::Columns(columns) => Err(format!("{columns:?}")),
        };
        let all = options(&[], &[], &[]);
        let two = "List([List([Text(\"0150\")]), List([Text(\"a, b\")])])";
        assert_eq!(texts("review\n0150\n\"a, b\"\n", "Tensor string [?, 1]", &all)?, two);
        assert_eq!(texts("id,text\n1,0150\n2,\"a, b\"\n", "Tensor string [?]", &all)?, two);
        let several = "id,review\n1,0150\n2,\"a, b\"\n";
        assert!(texts(several, "Tensor string [?]", &all).expect_err("which").contains("--columns"));
        assert_eq!(texts(several, "Tensor string [?]", &options(&["review"], &[], &[]))?, two);
        assert!(texts(several, "Tensor string [?, 2]", &all)?.starts_with("List([List([Text(\"1\"), Text("));
        Ok(())
    }

    #[test]
    fn without_header_and_with_other_separators() -> Result<(), String> {
        let expected = (arr2(&[[1.0, 2.0], [3.0, 4.0]]).into_dyn(), None);
        assert_eq!(numbers("1;2\n3;4\n", &options(&[], &[], &[]))?, expected);
        Ok(())
    }

    #[test]
    fn errors_name_cells_columns_and_help() {
        let error = |text: &str, options| numbers(text, &options).expect_err("nonsense");
        assert!(error(TABLE, options(&[], &[], &[])).contains("--drop 'city'"));
        assert!(error(TABLE, options(&["size"], &[], &[])).contains("age, city, height"));
        assert!(error(TABLE, options(&["age"], &[], &[7])).contains("no row 7"));
        assert!(
            error("a,b\n1,2\n1,\n2,3\n", options(&[], &[], &[]))
                .starts_with("row 1, column `b` (1) is blank")
        );
        assert!(error("a,b\n1,2\n1,\n2,3\n", options(&[], &[], &[1])).contains("row 1, column `b`"));
        assert!(error("a;b\n1,5;2\n3;4\n", options(&[], &[], &[])).contains("point"));
        for nonsense in ["", "a,b\n", "1,2\n3\n", "\"", "a,b\n1,2,3\n"] {
            assert!(numbers(nonsense, &options(&[], &[], &[])).is_err(), "{nonsense:?}");
        }
    }
}
