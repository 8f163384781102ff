//! What a page of the list is asked for.

use keyfob_client::ListOrder;

use super::columns::Column;
use crate::fields::link;
use crate::visit::Visit;

/// What a page of the list is asked for: everything that its address says.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) filter: String,
    pub(super) order: ListOrder,
    pub(super) cursor: Option<String>,
    pub(super) columns: Vec<Column>,
    /// Whether somebody chose the columns. Otherwise they follow the filter.
    has_chosen: bool,
}

impl Wanted {
    pub(super) fn of(visit: &Visit) -> Self {
        let order = match visit.query.text("order") {
            Some("expiring") => ListOrder::Expiring,
            _ => ListOrder::Newest,
        };
        let filter = visit.query.text("filter").unwrap_or_default().to_owned();
        let chosen = Column::chosen(visit.query.all("column"));
        Self {
            order,
            cursor: visit.query.text("cursor").map(str::to_owned),
            has_chosen: chosen.is_some(),
            columns: chosen.unwrap_or_else(|| Column::usual(&filter)),
            filter,
        }
    }

    pub(super) fn order_text(&self) -> &'static str {
        match self.order {
            ListOrder::Newest => "",
            ListOrder::Expiring => "expiring",
        }
    }

    /// Returns the address of the list with another filter, from its start.
    pub(super) fn with_filter(&self, filter: &str) -> String {
        self.address("/console/tokens", filter, "")
    }

    pub(super) fn address(&self, path: &str, filter: &str, cursor: &str) -> String {
        let mut query = vec![("filter", filter), ("order", self.order_text()), ("cursor", cursor)];
        if self.has_chosen {
            query.extend(self.columns.iter().map(|column| ("column", column.name())));
        }
        link(path, &query)
    }
}
