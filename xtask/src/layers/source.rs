//! Reads the modules of one crate from its source: what each file defines, imports and mentions.
//!
//! Code under `#[cfg(test)]` is left out, and so are links in documentation.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use proc_macro2::{Spacing, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Item, UseTree, Visibility};

/// The modules of a crate; the first is its root.
#[derive(Debug)]
pub(crate) struct Crate {
    pub(crate) modules: Vec<Module>,
    /// Macros that `#[macro_export]` puts at the root, with the module that defines each.
    pub(crate) macros: BTreeMap<String, usize>,
}

/// One module, in a file of its own or in that of its parent.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// Its path from the root of the crate, without `crate`.
    pub(crate) path: Vec<String>,
    pub(crate) file: PathBuf,
    pub(crate) parent: Option<usize>,
    pub(crate) children: BTreeMap<String, usize>,
    /// The items that it defines, and whether each is `pub`.
    pub(crate) defined: BTreeMap<String, bool>,
    pub(crate) imports: Vec<Import>,
    /// The paths of two segments and more in its code.
    pub(crate) mentions: Vec<Mention>,
    /// Every single name in its code.
    pub(crate) words: BTreeSet<String>,
    pub(crate) is_public: bool,
}

/// One name that a `use` brings in.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) path: Vec<String>,
    /// The name that it has here; `*` for a glob.
    pub(crate) name: String,
    pub(crate) reach: Reach,
    /// Whether it is `#[doc(hidden)]`.
    pub(crate) is_hidden: bool,
    pub(crate) line: usize,
}

/// Who else sees an import.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reach {
    /// No other module.
    Private,
    /// Some modules of this crate.
    Restricted,
    /// Every crate.
    Public,
}

/// A path in code, such as `crate::text::Subject`.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Mention {
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
}

/// Reads a file's text, or returns `None` if there is no such file.
pub(crate) type Read<'a> = &'a dyn Fn(&Path) -> Option<String>;

impl Crate {
    /// Reads the crate whose root is `root`, such as `crates/keyfob/src/lib.rs`.
    pub(crate) fn read(root: &Path, read: Read<'_>) -> Result<Self> {
        let mut this = Self { modules: Vec::new(), macros: BTreeMap::new() };
        let module = Module { file: root.to_owned(), is_public: true, ..Module::default() };
        this.modules.push(module);
        let folder = root.parent().context("a crate root without a folder")?;
        this.read_file(0, root, folder, read)?;
        Ok(this)
    }

    fn read_file(&mut self, at: usize, file: &Path, folder: &Path, read: Read<'_>) -> Result<()> {
        let text = read(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let parsed = syn::parse_file(&text).with_context(|| format!("{}", file.display()))?;
        self.read_items(at, parsed.items, folder, read)
    }

    /// `folder` is the folder of the files of child modules.
    fn read_items(
        &mut self,
        at: usize,
        items: Vec<Item>,
        folder: &Path,
        read: Read<'_>,
    ) -> Result<()> {
        for item in items {
            if attributes(&item).iter().any(is_test) {
                continue;
            }
            match item {
                Item::Use(item) => {
                    let line = item.use_token.span.start().line;
                    let reach = match item.vis {
                        Visibility::Inherited => Reach::Private,
                        Visibility::Restricted(_) => Reach::Restricted,
                        Visibility::Public(_) => Reach::Public,
                    };
                    // `use ::a::b` names another crate, whatever modules are here.
                    if item.leading_colon.is_none() {
                        let like = Import {
                            path: Vec::new(),
                            name: String::new(),
                            reach,
                            is_hidden: is_hidden(&item.attrs),
                            line,
                        };
                        flatten(&item.tree, &mut Vec::new(), &like, &mut self.modules[at].imports);
                    }
                }
                Item::Mod(item) => self.read_module(at, item, folder, read)?,
                item => self.read_code(at, &item),
            }
        }
        Ok(())
    }

    fn read_module(
        &mut self,
        parent: usize,
        item: syn::ItemMod,
        folder: &Path,
        read: Read<'_>,
    ) -> Result<()> {
        let name = item.ident.to_string();
        let mut path = self.modules[parent].path.clone();
        path.push(name.clone());
        let at = self.modules.len();
        let mut module = Module { path, parent: Some(parent), ..Module::default() };
        module.is_public = matches!(item.vis, Visibility::Public(_)) && !is_hidden(&item.attrs);
        self.modules[parent].children.insert(name.clone(), at);
        let below = folder.join(&name);
        if let Some((_, items)) = item.content {
            module.file = self.modules[parent].file.clone();
            self.modules.push(module);
            return self.read_items(at, items, &below, read);
        }
        if item.attrs.iter().any(|attribute| attribute.path().is_ident("path")) {
            bail!("module {name} has a #[path]: name the file as the module");
        }
        let candidates = [folder.join(format!("{name}.rs")), below.join("mod.rs")];
        let file = candidates.into_iter().find(|file| read(file).is_some());
        let file = file.with_context(|| format!("no file for module {name} in {folder:?}"))?;
        module.file.clone_from(&file);
        self.modules.push(module);
        self.read_file(at, &file, &below, read)
    }

    fn read_code(&mut self, at: usize, item: &Item) {
        if let Item::Macro(item) = item
            && let Some(name) = &item.ident
            && item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export"))
        {
            self.macros.insert(name.to_string(), at);
        }
        let module = &mut self.modules[at];
        if let Some((name, is_public)) = definition(item) {
            module.defined.insert(name, is_public);
        }
        collect_paths(item.to_token_stream(), module);
    }
}

/// Writes one import for each leaf of a `use`.
fn flatten(tree: &UseTree, path: &mut Vec<String>, like: &Import, imports: &mut Vec<Import>) {
    let mut add = |path: Vec<String>, name: String| {
        imports.push(Import { path, name, ..*like });
    };
    match tree {
        UseTree::Path(tree) => {
            path.push(tree.ident.to_string());
            flatten(&tree.tree, path, like, imports);
            path.pop();
        }
        UseTree::Group(tree) => {
            for tree in &tree.items {
                flatten(tree, path, like, imports);
            }
        }
        UseTree::Glob(_) => add(path.clone(), "*".to_owned()),
        UseTree::Name(tree) => {
            let mut path = path.clone();
            if tree.ident != "self" {
                path.push(tree.ident.to_string());
            }
            let name = path.last().cloned().unwrap_or_default();
            add(path, name);
        }
        UseTree::Rename(tree) => {
            let mut path = path.clone();
            if tree.ident != "self" {
                path.push(tree.ident.to_string());
            }
            add(path, tree.rename.to_string());
        }
    }
}

/// Finds the names and paths in code, in macros too.
fn collect_paths(tokens: TokenStream, module: &mut Module) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is_colons = |at: usize| {
        matches!(tokens.get(at), Some(TokenTree::Punct(it)) if it.as_char() == ':' && it.spacing() == Spacing::Joint)
            && matches!(tokens.get(at + 1), Some(TokenTree::Punct(it)) if it.as_char() == ':')
    };
    let is_punct = |at: Option<usize>, char: char| matches!(at.and_then(|at| tokens.get(at)), Some(TokenTree::Punct(it)) if it.as_char() == char);
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            TokenTree::Group(group) => collect_paths(group.stream(), module),
            TokenTree::Ident(first) => {
                let line = first.span().start().line;
                // A field or a method is no name of this module; `>::name` is no path from here.
                let is_free = !is_punct(at.checked_sub(1), '.')
                    && !is_punct(at.checked_sub(1), ':')
                    || is_punct(at.checked_sub(1), ':') && !is_punct(at.checked_sub(2), ':');
                let mut path = vec![first.to_string()];
                while is_colons(at + 1)
                    && let Some(TokenTree::Ident(next)) = tokens.get(at + 3)
                {
                    path.push(next.to_string());
                    at += 3;
                }
                if is_free {
                    module.words.insert(first.to_string());
                    if path.len() > 1 {
                        module.mentions.push(Mention { path, line });
                    }
                }
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
        at += 1;
    }
}

fn definition(item: &Item) -> Option<(String, bool)> {
    let (name, visibility) = match item {
        Item::Const(item) => (&item.ident, &item.vis),
        Item::Enum(item) => (&item.ident, &item.vis),
        Item::Fn(item) => (&item.sig.ident, &item.vis),
        Item::Static(item) => (&item.ident, &item.vis),
        Item::Struct(item) => (&item.ident, &item.vis),
        Item::Trait(item) => (&item.ident, &item.vis),
        Item::Type(item) => (&item.ident, &item.vis),
        Item::Union(item) => (&item.ident, &item.vis),
        Item::Macro(item) => return item.ident.as_ref().map(|name| (name.to_string(), false)),
        _ => return None,
    };
    let is_public = matches!(visibility, Visibility::Public(_)) && !is_hidden(attributes(item));
    Some((name.to_string(), is_public))
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn is_test(attribute: &Attribute) -> bool {
    attribute.path().is_ident("test")
        || attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
}

fn is_hidden(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("doc")
            && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("hidden"))
    })
}
