//! Reads the journal in order. A record cut short at the very end was never acknowledged and is dropped; one with a
//! single wrong bit there is read as originally written. Anything else unreadable is damage, reported with file and
//! position, or possible damage at the very end.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::base::clock::Timestamp;
use crate::store::fingerprint::Mark;

use super::end::{self, End};
use super::record::{self, Record};
use super::segment::{self, Header, HeaderFault, SegmentName};
use super::{Damage, JournalError};

/// What a walk finds.
pub enum Found<'a> {
    /// An intact record.
    Record(Record<'a>),
    /// A damaged part; the callback returns an error to stop, or `Ok` to continue after it.
    Damage(Damage),
}

/// The journal's end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tail {
    /// The last segment, with its header and the length up to which it is intact. `None` if there is no segment.
    pub last: Option<(SegmentName, Header, u64)>,
    /// The store's mark after the last record.
    pub mark: Mark,
    /// The store's mark at the group after which the walk began, if the journal still has it.
    pub start: Option<Mark>,
    /// Bytes of a cut-short write after the last intact record.
    pub torn: u64,
    /// A complete but inconsistent record follows the last intact one: possibly damaged rather than cut short.
    pub is_doubtful: bool,
    /// The last record, as it was before one bit changed; it counts as intact.
    pub repair: Option<Repair>,
    /// A segment file whose creation was interrupted, to be removed.
    pub stillborn: Option<PathBuf>,
}

/// A record to be repaired on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The segment's path.
    pub path: PathBuf,
    /// Where the record begins, in bytes from the start of the file.
    pub at: u64,
    /// The complete original record.
    pub bytes: Vec<u8>,
}

/// Reads all records after group `after`, in order.
///
/// # Errors
/// [`JournalError`], including the callback's.
pub(crate) fn walk(
    directory: &Path,
    after: u64,
    visit: &mut dyn FnMut(Found<'_>) -> Result<(), JournalError>,
) -> Result<Tail, JournalError> {
    let segments = segment::list(directory).map_err(JournalError::io(directory, "read"))?;
    walk_segments(&segments, after, visit)
}

/// As [`walk`], over the given segments in order.
///
/// # Errors
/// [`JournalError`], including the callback's.
pub(crate) fn walk_segments(
    segments: &[SegmentName],
    after: u64,
    visit: &mut dyn FnMut(Found<'_>) -> Result<(), JournalError>,
) -> Result<Tail, JournalError> {
    let begin = segments.partition_point(|segment| segment.first <= after.saturating_add(1)).saturating_sub(1);
    let mut walk = Walk { after, visit, tail: Tail::default(), begun: false };
    let selected = segments.get(begin..).unwrap_or_default();
    for (position, name) in selected.iter().enumerate() {
        walk.segment(name, position + 1 == selected.len())?;
    }
    Ok(walk.tail)
}

/// The extent of an intact segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The store's mark after its last group.
    pub after: Mark,
    /// When its first group became durable, if recorded.
    pub begun: Option<Timestamp>,
    /// When its last group became durable, if recorded.
    pub ended: Option<Timestamp>,
    /// The latest of all these times: not the last one if a clock was set back.
    pub latest: Option<Timestamp>,
}

/// The header of an open segment.
///
/// # Errors
/// [`JournalError`].
pub(crate) fn header_of(name: &SegmentName, file: &File) -> Result<Header, JournalError> {
    let mut reader = SegmentReader::of(file).map_err(JournalError::io(&name.path, "read"))?;
    read_header(name, &mut reader)
}

fn read_header(name: &SegmentName, reader: &mut SegmentReader) -> Result<Header, JournalError> {
    let what = match reader.header().map_err(JournalError::io(&name.path, "read"))? {
        Ok(header) if header.before.sequence.saturating_add(1) == name.first => return Ok(header),
        Err(HeaderFault::Newer(version)) => return Err(JournalError::Newer { path: name.path.clone(), version }),
        Ok(_) => "it has the name of another segment",
        Err(HeaderFault::Damaged) => "the header is damaged",
    };
    Err(JournalError::Damaged(damage(name, (0, reader.length), name.first.saturating_sub(1), None, what)))
}

/// Reads an open segment completely, and passes its groups in order to the callback, each with the offset at which it
/// ends. Nothing in it may be damaged, including its end.
///
/// # Errors
/// [`JournalError`], including the callback's.
pub(crate) fn read_segment(
    name: &SegmentName,
    file: &File,
    visit: &mut dyn FnMut(&Record<'_>, u64) -> Result<(), JournalError>,
) -> Result<Extent, JournalError> {
    let failed = || JournalError::io(&name.path, "read");
    let mut reader = SegmentReader::of(file).map_err(failed())?;
    let header = read_header(name, &mut reader)?;
    let mut extent = Extent { after: header.before, begun: None, ended: None, latest: None };
    loop {
        let (from, length) = (reader.position, reader.length);
        let last = extent.after.sequence;
        let broken = |what| Err(JournalError::Damaged(damage(name, (from, length), last, None, what)));
        let (next, position) = reader.next_at(&header).map_err(failed())?;
        match next {
            Next::End => return Ok(extent),
            Next::Unreadable => return broken("records are damaged"),
            Next::Record(record) if record.mark.sequence != last.saturating_add(1) => {
                return broken("groups are missing");
            }
            Next::Record(record) => {
                if last == header.before.sequence {
                    extent.begun = record.at;
                }
                (extent.after, extent.ended) = (record.mark, record.at);
                extent.latest = extent.latest.max(record.at);
                visit(&record, position)?;
            }
        }
    }
}

struct Walk<'v> {
    after: u64,
    visit: &'v mut dyn FnMut(Found<'_>) -> Result<(), JournalError>,
    tail: Tail,
    begun: bool,
}

impl Walk<'_> {
    fn segment(&mut self, name: &SegmentName, last: bool) -> Result<(), JournalError> {
        let failed = || JournalError::io(&name.path, "read");
        let mut reader = SegmentReader::open(&name.path).map_err(failed())?;
        let header = match reader.header().map_err(failed())? {
            Ok(header) if header.before.sequence.saturating_add(1) == name.first => header,
            Err(HeaderFault::Newer(version)) => return Err(JournalError::Newer { path: name.path.clone(), version }),
            // The header is durable before the first record is written, so without it there were no records.
            Err(HeaderFault::Damaged) if last && reader.length <= segment::HEADER as u64 => {
                self.tail.stillborn = Some(name.path.clone());
                return Ok(());
            }
            Ok(_) => return self.damaged(name, 0, reader.length, None, "it has the name of another segment"),
            Err(HeaderFault::Damaged) => return self.damaged(name, 0, reader.length, None, "the header is damaged"),
        };
        self.join(name, header)?;
        loop {
            let from = reader.position;
            match reader.next(&header).map_err(failed())? {
                Next::End => break,
                Next::Record(record) => self.record(name, from, record)?,
                Next::Unreadable => match reader.resume(&header).map_err(failed())? {
                    Some((to, next)) => {
                        self.damaged(name, from, to, Some(next), "records are damaged")?;
                        self.tail.mark.sequence = next.saturating_sub(1);
                    }
                    None if last => {
                        self.end(name, header, &mut reader)?;
                        break;
                    }
                    None => {
                        self.damaged(name, from, reader.length, None, "records are damaged")?;
                        break;
                    }
                },
            }
        }
        self.tail.last = Some((name.clone(), header, reader.position));
        Ok(())
    }

    fn record(&mut self, name: &SegmentName, at: u64, record: Record<'_>) -> Result<(), JournalError> {
        let expected = self.tail.mark.sequence.saturating_add(1);
        if record.mark.sequence != expected {
            let next = Some(record.mark.sequence);
            let damage = damage(name, (at, at), self.tail.mark.sequence, next, "groups are missing");
            (self.visit)(Found::Damage(damage))?;
        }
        self.tail.mark = record.mark;
        if record.mark.sequence > self.after {
            (self.visit)(Found::Record(record))?;
        } else if record.mark.sequence == self.after {
            self.tail.start = Some(record.mark);
        }
        Ok(())
    }

    /// Classifies the bytes after the last intact record of the last segment; they contain no intact record.
    fn end(&mut self, name: &SegmentName, header: Header, reader: &mut SegmentReader) -> Result<(), JournalError> {
        let from = reader.position;
        let bytes = reader.rest().map_err(JournalError::io(&name.path, "read"))?;
        match end::judge(&header, &bytes, from) {
            End::CutShort => self.tail.torn = bytes.len() as u64,
            End::Doubtful => (self.tail.torn, self.tail.is_doubtful) = (bytes.len() as u64, true),
            End::Damaged => self.damaged(name, from, reader.length, None, "records are damaged")?,
            End::Repairable(bytes) => {
                let payload = bytes.get(record::HEAD..).unwrap_or_default();
                let checksum = record::head(&bytes).map_or(0, |(_, checksum)| checksum);
                if let Some(record) = Record::read(&header, checksum, payload) {
                    self.record(name, from, record)?;
                }
                reader.position = from + bytes.len() as u64;
                self.tail.repair = Some(Repair { path: name.path.clone(), at: from, bytes });
            }
        }
        Ok(())
    }

    /// Checks that the segment continues where the previous one ended.
    fn join(&mut self, name: &SegmentName, header: Header) -> Result<(), JournalError> {
        if self.begun && header.before.sequence != self.tail.mark.sequence
            || !self.begun && header.before.sequence > self.after
        {
            let last = if self.begun { self.tail.mark.sequence } else { self.after };
            let next = header.before.sequence.checked_add(1);
            (self.visit)(Found::Damage(damage(name, (0, 0), last, next, "the segment before it is missing or short")))?;
        }
        self.begun = true;
        self.tail.mark = header.before;
        if header.before.sequence == self.after {
            self.tail.start = Some(header.before);
        }
        Ok(())
    }

    fn damaged(
        &mut self,
        name: &SegmentName,
        from: u64,
        to: u64,
        next: Option<u64>,
        what: &'static str,
    ) -> Result<(), JournalError> {
        (self.visit)(Found::Damage(damage(name, (from, to), self.tail.mark.sequence, next, what)))
    }
}

fn damage(name: &SegmentName, part: (u64, u64), after: u64, before: Option<u64>, what: &'static str) -> Damage {
    Damage { path: name.path.clone(), from: part.0, to: part.1, after, before, what }
}

enum Next<'a> {
    Record(Record<'a>),
    End,
    Unreadable,
}

struct SegmentReader {
    file: BufReader<File>,
    /// The offset after the last intact record.
    position: u64,
    length: u64,
    payload: Vec<u8>,
}

impl SegmentReader {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { file: BufReader::with_capacity(256 * 1024, file), position: 0, length, payload: Vec::new() })
    }

    /// Reads an open file from its beginning.
    fn of(file: &File) -> io::Result<Self> {
        let mut file = file.try_clone()?;
        file.rewind()?;
        let length = file.metadata()?.len();
        Ok(Self { file: BufReader::with_capacity(256 * 1024, file), position: 0, length, payload: Vec::new() })
    }

    fn header(&mut self) -> io::Result<Result<Header, HeaderFault>> {
        let mut bytes = [0; segment::HEADER];
        if self.length < bytes.len() as u64 {
            return Ok(Err(HeaderFault::Damaged));
        }
        self.file.read_exact(&mut bytes)?;
        self.position = bytes.len() as u64;
        Ok(Header::from_bytes(&bytes))
    }

    fn next(&mut self, header: &Header) -> io::Result<Next<'_>> {
        Ok(self.next_at(header)?.0)
    }

    /// The next record, and the offset at which it ends.
    fn next_at(&mut self, header: &Header) -> io::Result<(Next<'_>, u64)> {
        let position = self.position;
        let left = self.length.saturating_sub(self.position);
        if left == 0 {
            return Ok((Next::End, position));
        }
        let mut head = [0; record::HEAD];
        if left < head.len() as u64 {
            return Ok((Next::Unreadable, position));
        }
        self.file.read_exact(&mut head)?;
        let Some((length, checksum)) = record::head(&head) else { return Ok((Next::Unreadable, position)) };
        let whole = (record::HEAD + length) as u64;
        if left < whole {
            return Ok((Next::Unreadable, position));
        }
        self.payload.resize(length, 0);
        self.file.read_exact(&mut self.payload)?;
        match Record::read(header, checksum, &self.payload) {
            Some(record) => {
                self.position += whole;
                Ok((Next::Record(record), self.position))
            }
            None => Ok((Next::Unreadable, position)),
        }
    }

    /// All bytes from the position to the end of the file.
    fn rest(&mut self) -> io::Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start(self.position))?;
        let mut rest = Vec::new();
        self.file.read_to_end(&mut rest)?;
        Ok(rest)
    }

    /// After an unreadable record: finds the next intact one, moves there, and returns its offset and group number.
    fn resume(&mut self, header: &Header) -> io::Result<Option<(u64, u64)>> {
        let rest = self.rest()?;
        let found = (1..rest.len()).find_map(|start| {
            let bytes = rest.get(start..).filter(|bytes| bytes.starts_with(&record::MAGIC))?;
            let (length, checksum) = record::head(bytes)?;
            let payload = bytes.get(record::HEAD..record::HEAD + length)?;
            Some((start as u64, Record::read(header, checksum, payload)?.mark.sequence))
        });
        let Some((start, sequence)) = found else { return Ok(None) };
        self.position += start;
        self.file.seek(SeekFrom::Start(self.position))?;
        Ok(Some((self.position, sequence)))
    }
}
