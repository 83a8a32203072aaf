//! The tickets of documents, in the store of the service.

use std::sync::Arc;

use axum::http::StatusCode;
use fusebox::Ticket;
use fusebox::name::{DocumentId, PipelineName};
use fusebox::store::{Fact, SqliteStore, Store};
use serde::Deserialize;

use crate::error::Refused;

const KIND: &str = "ticket";

pub(crate) struct Tickets {
    store: Arc<SqliteStore>,
    pipeline: PipelineName,
}

impl Tickets {
    pub(crate) fn new(store: Arc<SqliteStore>) -> Result<Self, fusebox::Error> {
        let pipeline = PipelineName::new(crate::NAME)?;
        Ok(Self { store, pipeline })
    }

    /// Keeps the ticket of a document's first call.
    pub(crate) async fn keep(&self, ticket: &Ticket) -> Result<(), Refused> {
        let unwritable = |error: serde_json::Error| Refused {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            why: error.to_string(),
        };
        let value = serde_json::to_value(ticket).map_err(unwritable)?;
        let fact = Fact::new(
            KIND,
            ticket.document().as_str(),
            ticket.admitted_at(),
            value,
        );
        self.store
            .append(&self.pipeline, vec![fact], Vec::new())
            .await?;
        Ok(())
    }

    pub(crate) async fn of(&self, document: &DocumentId) -> Result<Ticket, Refused> {
        let fact = self
            .store
            .fact(&self.pipeline, KIND, document.as_str())
            .await?;
        let ticket = fact.and_then(|fact| Ticket::deserialize(&fact.value).ok());
        ticket.ok_or_else(|| Refused {
            status: StatusCode::NOT_FOUND,
            why: format!("no document {document} was answered here"),
        })
    }
}
