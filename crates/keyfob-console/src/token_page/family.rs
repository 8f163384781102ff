//! The family of a token: what it descends from, and what descends from it.

use std::collections::{BTreeMap, BTreeSet};

use keyfob_api::TokenBody;
use keyfob_client::{Client, Error, ListQuery};
use keyfob_core::{FamilyId, Filter, Timestamp, TokenId, TokenState};
use maud::{Markup, html};

use crate::draw::tree::{self, Node};
use crate::widget::{text, time, token};

/// How many members are asked for. The newest come first.
const ASKED: usize = 200;
/// How many members are drawn.
const DRAWN: usize = 40;
/// How many pages of a family are searched for descendants.
const MAX_PAGES: usize = 5;

/// Members of a family, as far as they were read.
pub(super) struct Family {
    pub(super) id: FamilyId,
    members: Vec<TokenBody>,
    /// Whether there are members that were not read.
    has_more: bool,
}

/// Returns the family of a token. That of a token that is in none has the token as its root.
fn id_of(token: &TokenBody) -> FamilyId {
    FamilyId::under(token.id, token.family)
}

/// Returns the filter that finds a family.
pub(super) fn filter(family: FamilyId) -> String {
    format!("family:{family}")
}

/// Reads the family of a token.
pub(super) async fn read(api: &Client, token: &TokenBody) -> Result<Family, Error> {
    let id = id_of(token);
    let page = api.list(&ListQuery::new(filter(id)).limit(ASKED)).await?;
    Ok(Family { id, members: page.tokens, has_more: page.next.is_some() })
}

/// Returns up to `max` pending and active tokens that descend from a token, the newest first. They are those
/// that fall with it.
pub(super) async fn living_descendants(
    api: &Client,
    token: &TokenBody,
    max: usize,
) -> Result<Vec<TokenBody>, Error> {
    let mut found = Vec::new();
    let alive =
        Filter::new().family(id_of(token)).state(TokenState::Active).state(TokenState::Pending);
    let mut query = ListQuery::new(alive.to_string()).limit(ASKED);
    for _ in 0..MAX_PAGES {
        let page = api.list(&query).await?;
        found.extend(page.tokens.into_iter().filter(|member| {
            member.id != token.id
                && member.ancestors.contains(&token.id)
                && !member.state.is_final()
        }));
        match page.next {
            Some(next) if found.len() < max => {
                query = ListQuery::new(page.filter).limit(ASKED).after(Some(next));
            }
            _ => break,
        }
    }
    found.truncate(max);
    Ok(found)
}

/// Shows a family as a tree. Returns the tree, and whether members are missing in it.
pub(super) fn tree(family: &Family, about: &TokenBody, now: Timestamp) -> (Markup, bool) {
    let mut known: BTreeMap<TokenId, &TokenBody> =
        family.members.iter().map(|member| (member.id, member)).collect();
    known.insert(about.id, about);
    let drawn = choose(&known, about);
    let is_cut = family.has_more || drawn.len() < known.len();
    let children = children(&drawn, &known);
    let draw = Draw { known: &known, children: &children, about, now };
    let roots: Vec<_> =
        children.get(&None).into_iter().flatten().map(|id| draw.node(*id, 0)).collect();
    (tree::draw(&roots), is_cut)
}

/// Chooses what is drawn: the token, what it descends from, what descends from it, then others.
fn choose(known: &BTreeMap<TokenId, &TokenBody>, about: &TokenBody) -> BTreeSet<TokenId> {
    let rank = |member: &TokenBody| match () {
        () if member.id == about.id || about.ancestors.contains(&member.id) => 0,
        () if member.ancestors.contains(&about.id) => 1,
        () => 2,
    };
    let mut members: Vec<_> = known.values().collect();
    members.sort_by_key(|member| (rank(member), std::cmp::Reverse(member.id)));
    members.into_iter().take(DRAWN).map(|member| member.id).collect()
}

type Children = BTreeMap<Option<TokenId>, BTreeSet<TokenId>>;

/// Returns the children of each token that is drawn. Ancestors that are not known have their place by their
/// id.
fn children(drawn: &BTreeSet<TokenId>, known: &BTreeMap<TokenId, &TokenBody>) -> Children {
    let mut children = Children::new();
    for member in drawn.iter().filter_map(|id| known.get(id)) {
        // The root of a family is its own ancestor.
        let line = member.ancestors.iter().filter(|ancestor| **ancestor != member.id);
        let mut parent = None;
        for id in line.chain([&member.id]) {
            children.entry(parent).or_default().insert(*id);
            parent = Some(*id);
        }
    }
    children
}

struct Draw<'a> {
    known: &'a BTreeMap<TokenId, &'a TokenBody>,
    children: &'a Children,
    about: &'a TokenBody,
    now: Timestamp,
}

impl Draw<'_> {
    fn node(&self, id: TokenId, depth: usize) -> Node {
        // A line of ancestors is bounded, so this ends before the bound unless the store lies.
        let below = self.children.get(&Some(id)).filter(|_| depth < 32);
        let children = below.into_iter().flatten().rev().map(|child| self.node(*child, depth + 1));
        Node {
            content: self.content(id),
            is_here: id == self.about.id,
            children: children.collect(),
        }
    }

    fn content(&self, id: TokenId) -> Markup {
        let Some(member) = self.known.get(&id) else {
            return html! { (token::id(id)) " " span.quiet { "not read here, or deleted" } };
        };
        html! {
            (token::state(member.state)) " "
            @if id == self.about.id { strong.id { (id) } " (this token)" } @else { (token::id(id)) }
            " " (summary(member, self.now))
            @if id != self.about.id && self.is_in_cascade(member) {
                " " span.tag { "is revoked with this token" }
            }
        }
    }

    fn is_in_cascade(&self, member: &TokenBody) -> bool {
        let is_alive = |state: TokenState| !state.is_final();
        is_alive(member.state)
            && is_alive(self.about.state)
            && member.ancestors.contains(&self.about.id)
    }
}

/// Says in one line what a token is.
pub(super) fn summary(member: &TokenBody, now: Timestamp) -> Markup {
    let scopes = member.scopes.to_string();
    html! {
        (token::kind(member.kind))
        @if !scopes.is_empty() { " " span.quiet { (text::short(&scopes, 40)) } }
        span.quiet { ", issued " (time::ago(member.issued_at, now)) }
    }
}
