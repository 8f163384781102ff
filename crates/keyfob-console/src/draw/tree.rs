//! A tree: nested lists whose lines are SVG, so it is read as a list and wraps on a narrow screen.

use maud::{Markup, html};

/// One place in a tree.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) content: Markup,
    /// Whether it is what the page is about.
    pub(crate) is_here: bool,
    pub(crate) children: Vec<Node>,
}

/// Draws a tree from its roots.
pub(crate) fn draw(roots: &[Node]) -> Markup {
    html! { ul.tree { @for root in roots { (branch(root, &mut Vec::new())) } } }
}

/// Draws a node with its children. `lines` has for each level above the node whether its line continues below.
fn branch(node: &Node, lines: &mut Vec<bool>) -> Markup {
    html! {
        li {
            div.node aria-current=[node.is_here.then_some("true")] {
                @for (level, continues) in lines.iter().enumerate() {
                    (rail(*continues, level + 1 == lines.len()))
                }
                div.leaf { (node.content) }
            }
            @if !node.children.is_empty() {
                ul {
                    @for (n, child) in node.children.iter().enumerate() {
                        ({
                            lines.push(n + 1 < node.children.len());
                            let drawn = branch(child, lines);
                            lines.pop();
                            drawn
                        })
                    }
                }
            }
        }
    }
}

/// The lines of one level: down, and at the last level also to the node.
fn rail(continues: bool, is_own: bool) -> Markup {
    let line = match (continues, is_own) {
        (true, true) => "M8 0V40M8 20H20",
        (false, true) => "M8 0V20H20",
        (true, false) => "M8 0V40",
        (false, false) => "",
    };
    html! {
        svg.rail viewBox="0 0 20 40" preserveAspectRatio="none" aria-hidden="true" {
            path d=(line) vector-effect="non-scaling-stroke" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, children: Vec<Node>) -> Node {
        Node { content: html! { (name) }, is_here: name == "b", children }
    }

    #[test]
    fn lines_continue_while_siblings_follow() {
        let tree = node("a", vec![node("b", vec![node("c", vec![])]), node("d", vec![])]);
        let drawn = draw(&[tree]).into_string();
        let row = |name: &str| {
            let end = drawn.find(&format!(">{name}<")).unwrap();
            let start = drawn[..end].rfind("class=\"node\"").unwrap();
            drawn[start..end].matches(" d=\"").count()
        };
        assert_eq!([row("a"), row("b"), row("c"), row("d")], [0, 1, 2, 1]);
        assert!(drawn.contains("M8 0V40M8 20H20") && drawn.contains("M8 0V20H20"));
        assert_eq!(drawn.matches("aria-current").count(), 1);
    }
}
