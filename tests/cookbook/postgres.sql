-- As Prisma makes it.
CREATE TABLE "ProductVariant" (id INTEGER PRIMARY KEY, "priceWithTax" NUMERIC(10,2) NOT NULL, "order" INTEGER NOT NULL, "updatedAt" TIMESTAMP(3) NOT NULL);
INSERT INTO "ProductVariant" VALUES (1, 11.90, 2, '2026-03-01 08:00:00'), (2, 5.00, 1, '2026-03-02 08:00:00');
