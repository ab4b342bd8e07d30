-- A shop of books as Prisma keeps it: quoted names, uuid keys, enums, arrays, jsonb.
CREATE TYPE "BookStatus" AS ENUM ('DRAFT', 'PUBLISHED', 'OUT_OF_PRINT');
CREATE TABLE "Author" (id uuid PRIMARY KEY, "fullName" text NOT NULL, "createdAt" timestamptz(3) NOT NULL, "updatedAt" timestamptz(3) NOT NULL);
INSERT INTO "Author" SELECT md5('author' || n)::uuid, 'Author "Ø" ' || n, '2026-01-01 10:00:00+02'::timestamptz + n * interval '1 hour', '2026-02-01 00:00:00.5+00'::timestamptz + n * interval '1 hour'
  FROM generate_series(1, 40) n;
CREATE TABLE "Book" (id uuid PRIMARY KEY, "authorId" uuid NOT NULL REFERENCES "Author" (id) ON DELETE CASCADE, title text NOT NULL, isbn varchar(17) UNIQUE,
    "priceWithTax" numeric(10,3) NOT NULL, "pageCount" int, status "BookStatus" NOT NULL DEFAULT 'DRAFT', tags text[] NOT NULL DEFAULT '{}', attributes jsonb NOT NULL DEFAULT '{}',
    "order" int NOT NULL, "select" boolean NOT NULL DEFAULT false, "publishedAt" date, "updatedAt" timestamptz(3) NOT NULL);
CREATE INDEX ON "Book" ("authorId");
INSERT INTO "Book"
SELECT md5('book' || n)::uuid, md5('author' || (n % 40 + 1))::uuid, E'Bücher & \\ "' || n || E'"\n日本📚', CASE WHEN n % 6 = 0 THEN NULL ELSE '978-' || n END, n * 1.125, nullif(n % 500, 7),
       (ARRAY['DRAFT', 'PUBLISHED', 'OUT_OF_PRINT'])[n % 3 + 1]::"BookStatus", CASE n % 4 WHEN 0 THEN '{}' WHEN 1 THEN '{new}' ELSE ARRAY['a "b"', 'ç, d'] END,
       jsonb_build_object('weight', n * 0.10, 'size', jsonb_build_array(n, n + 1), 'note', CASE WHEN n % 5 = 0 THEN NULL ELSE 'x' END), n % 17, n % 2 = 0,
       CASE WHEN n % 3 = 1 THEN date '2020-01-01' + n END, '2026-03-01 00:00:00+00'::timestamptz + n * interval '1 minute'
  FROM generate_series(1, 1200) n;
CREATE TABLE "Review" (id bigserial PRIMARY KEY, "bookId" uuid NOT NULL REFERENCES "Book" (id), stars smallint NOT NULL, body text, "createdAt" timestamptz(3) NOT NULL);
INSERT INTO "Review" ("bookId", stars, body, "createdAt")
SELECT md5('book' || (n % 300 + 1))::uuid, n % 5 + 1, nullif('Review ' || n, 'Review 9'), '2026-03-01 00:00:00+00'::timestamptz + n * interval '7 minutes' FROM generate_series(1, 2000) n;
CREATE TABLE "_BookToTag" ("A" uuid NOT NULL REFERENCES "Book" (id), "B" int NOT NULL, PRIMARY KEY ("A", "B"));
INSERT INTO "_BookToTag" SELECT md5('book' || n)::uuid, n % 7 FROM generate_series(1, 200) n;
CREATE TABLE "User" (id uuid PRIMARY KEY, email text NOT NULL UNIQUE, "passwordHash" text NOT NULL, "createdAt" timestamptz(3) NOT NULL DEFAULT now());
INSERT INTO "User" (id, email, "passwordHash") VALUES (md5('u')::uuid, 'a@example.com', 'not a secret');
