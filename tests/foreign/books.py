"""Make every document of the shop of books out of the database, in Python alone, and compare it with the cache.

Usage: books.py POSTGRES_URL REDIS_URL
"""

import json
import re
import sys
from decimal import Decimal

import psycopg
import psycopg.types.json
import redis

database = psycopg.connect(sys.argv[1])
database.execute("SET TimeZone = 'UTC'")
cache = redis.from_url(sys.argv[2], decode_responses=True)


def number(digits):
    """A number as a text that `document` turns into the digits of the database."""
    return f"@@{digits}@@"


def rows(sql):
    return database.execute(sql).fetchall()


def plain(value):
    if isinstance(value, Decimal):
        return number(value)
    if hasattr(value, "hour"):
        return value.isoformat(timespec="microseconds" if value.microsecond else "seconds")
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def document(value):
    text = json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))
    return re.sub(r'"@@([-0-9.]+)@@"', r"\1", text)


psycopg.types.json.set_json_loads(lambda text: json.loads(text, parse_float=number))

texts, hashes, sets = {}, {}, {}
names = "id title isbn priceWithTax pageCount status tags attributes order select publishedAt updatedAt".split()
for row in rows('SELECT * FROM "Book"'):
    columns = dict(zip([c.name for c in database.execute('SELECT * FROM "Book" LIMIT 0').description], row))
    author = rows(f"""SELECT id, "fullName" FROM "Author" WHERE id = '{columns['authorId']}'""")[0]
    book = {name: columns[name] for name in names}
    texts[f"book:{columns['id']}"] = document(book | {"author": {"id": author[0], "name": author[1]}})
    sets.setdefault(f"books:{columns['status']}", set()).add(str(columns["id"]))
for (author,) in rows('SELECT DISTINCT "authorId" FROM "Book"'):
    books = rows(f"""SELECT id, title, "priceWithTax" FROM "Book" WHERE "authorId" = '{author}' ORDER BY "order", id""")
    texts[f"author:{author}:books"] = document([dict(zip(("id", "title", "priceWithTax"), book)) for book in books])
for (book,) in rows('SELECT DISTINCT "bookId" FROM "Review"'):
    reviews = rows(f"""SELECT id, stars, body, "createdAt" FROM "Review" WHERE "bookId" = '{book}' ORDER BY "createdAt" DESC, id DESC""")
    newest = [review + (rank,) for rank, review in enumerate(reviews[:3], 1)]
    texts[f"book:{book}:reviews"] = document([dict(zip(("id", "stars", "body", "createdAt"), review)) for review in newest])
    stars = [review[1] for review in reviews]
    mean = (Decimal(sum(stars)) / len(stars)).quantize(Decimal("0.01"), "ROUND_HALF_UP")
    hashes[f"book:{book}:stars"] = {"count": str(len(stars)), "mean": str(mean)}

wrong = 0
for expected, read in ((texts, cache.get), (hashes, cache.hgetall), (sets, cache.smembers)):
    for key, value in expected.items():
        if read(key) != value:
            wrong += 1
            if wrong <= 5:
                print(f"{key}\n  cache    {read(key)}\n  database {value}")
documents = len(texts) + len(hashes) + len(sets)
others = sum(1 for key in cache.scan_iter(count=1000) if not key.startswith("shopwarm:")) - documents
print(f"{documents} documents, {wrong} wrong, {others} that nobody expected")
sys.exit(1 if wrong or others else 0)
