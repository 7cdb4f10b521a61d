//! What holds the code and the documents to each other.

mod document_links;
mod floors;
mod monitoring_files;
mod operating_messages;
